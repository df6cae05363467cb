"""Secrets in all the forms that they could be found in.

    secrets.py scan SECRETS FILE...        looks through files; SECRETS has lines of a name and base64
    secrets.py core SECRETS DATA DEVICE COMMAND...  runs `holdfast send`, and looks through its memory, as a core would
        show it, while it waits for more; it is a child, or else the system would not let us
    secrets.py let-go SECRETS DB SCOPE ID COMMAND...  runs let_go and tells it what to look for: these, and the keys and
        tokens of the device ID
"""
import base64
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import time
from urllib.parse import quote

MASK = 0x5A


def forms(name, secret):
    """raw, also as a big number on a little-endian machine; base64, which may be percent-encoded and cut at its end; hex.
    And what is left of each in memory that was given back, whose first 16 bytes the allocator uses."""
    text = base64.b64encode(secret)
    all = {"": secret, ",reversed": secret[::-1]}
    if len(secret) == 32:
        all[",base64"] = text.rstrip(b"=")
        all[",percent"] = quote(text.rstrip(b"="), safe="").encode()
        all[",hex"] = secret.hex().encode()
        all[",HEX"] = secret.hex().upper().encode()
    for what, form in all.items():
        yield name + what, form
        if len(form) > 24:
            yield name + what + ",rest", form[16:]


def read(path):
    for line in open(path):
        name, text = line.split()
        yield from forms(name, base64.b64decode(text))


def signatures(name, key, resource, began, ended):
    """Tokens last for an hour; who made it when is not known to the second."""
    for expiry in range(began + 3600, ended + 3601):
        text = quote(resource, safe="") + "\n" + str(expiry)
        yield from forms(f"{name},{expiry}", hmac.new(key, text.encode(), hashlib.sha256).digest())


def scan(secrets, files):
    found = 0
    for file in files:
        data = open(file, "rb").read()
        for name, form in secrets:
            if form in data:
                print(f"{name} is in {file}")
                found += 1
    return found


def look_through(secrets, pid):
    found = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, rights = line.split()[:2]
            begin, end = (int(at, 16) for at in span.split("-"))
            if not rights.startswith("rw") or end - begin > 1 << 27:
                continue
            memory.seek(begin)
            data = memory.read(end - begin)
            for name, form in secrets:
                if form in data:
                    print(f"{name} is in its memory: {line.strip()}")
                    found += 1
    return found


def core(secrets, data, device, command):
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    child.stdin.write(b"looked at\n")
    child.stdin.flush()
    events = ["holdfast-emulator", "--data", data, "events", "--device", device]
    while b'"looked at"' not in subprocess.run(events, stdout=subprocess.PIPE, check=True).stdout:
        time.sleep(0.05)
    found = look_through(secrets, child.pid)
    child.stdin.close()
    return 2 if child.wait() else found > 0


def keys_of(db, device):
    """What DPS and the hub know of it."""
    for (key,) in db.execute("SELECT key FROM challenge WHERE id = ?", (device,)):
        yield "challenge-key", key, []
    for hub, text in db.execute("SELECT hub, json FROM device WHERE id = ?", (device,)):
        key = json.loads(text)["authentication"].get("symmetricKey", {}).get("primaryKey")
        if key:
            yield "hub-key", base64.b64decode(key), [f"{hub}/devices/{device}"]


def let_go(secrets, db, scope, device, command):
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    began, ended = (int(t) for t in child.stdout.readline().split() or sys.exit(f"{command[0]} did not get so far"))
    for name, key, resources in keys_of(sqlite3.connect(db), device):
        secrets += forms(name, key)
        for resource in resources + [f"{scope}/registrations/{device}"]:
            secrets += signatures(name + ",token", key, resource, began, ended)
    for name, form in secrets:
        child.stdin.write(f"{name} {bytes(b ^ MASK for b in form[:100]).hex()}\n".encode())
    child.stdin.close()
    return child.wait()


secrets = list(read(sys.argv[2]))
if sys.argv[1] == "scan":
    sys.exit(1 if scan(secrets, sys.argv[3:]) else 0)
if sys.argv[1] == "core":
    sys.exit(core(secrets, *sys.argv[3:5], sys.argv[5:]))
sys.exit(let_go(secrets, *sys.argv[3:6], sys.argv[6:]))
