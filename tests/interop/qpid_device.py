"""qpid_device.py HUB DEVICE KEY POLICY-KEY: Qpid Proton as a device at a hub over AMQP, and as the hub's owner; what it sees is compared here."""
import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
import urllib.parse
import uuid

import proton
from proton import ConnectionException, LinkException, Message, SSLDomain
from proton.utils import BlockingConnection, SendException

HUB, DEVICE, KEY, POLICY_KEY = sys.argv[1:]
SHORT = HUB.split(".")[0]
EVENTS, BOUND = (f"/devices/{DEVICE}/messages/{way}" for way in ("events", "devicebound"))


def token(resource, key, policy="", seconds=600):
    resource, end = urllib.parse.quote(resource, safe=""), int(time.time()) + seconds
    mac = hmac.new(base64.b64decode(key), f"{resource}\n{end}".encode(), hashlib.sha256).digest()
    sig = urllib.parse.quote(base64.b64encode(mac), safe="")
    return f"SharedAccessSignature sr={resource}&sig={sig}&se={end}" + (f"&skn={policy}" if policy else "")


def mine(**more):
    return token(f"{HUB}/devices/{DEVICE}", KEY, **more)


def connect(**how):
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(os.environ["HOLDFAST_TRUST"])
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
    return BlockingConnection(f"amqps://{HUB}:5671", timeout=15, ssl_domain=domain, **how)


def plain(user, password):
    return connect(allowed_mechs="PLAIN", user=user, password=password)


def check(what, *good):
    if not all(good):
        sys.exit(f"failed: {what}")


def refused(words, kinds, do):
    try:
        do()
    except kinds as err:
        check(f"'{err}' where '{words}' was expected", words in str(err))
        return
    sys.exit(f"failed: it was not refused ({words})")


def put_token(c, name, what, wait=True):
    """CBS: the answer's status."""
    ask, answer = c.create_sender("$cbs"), c.create_receiver("$cbs", credit=10)
    m = Message(id=uuid.uuid4(), body=what)
    m.properties = {"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": name}
    ask.send(m)
    said = answer.receive()
    answer.accept()
    check("another's answer", said.correlation_id == m.id)
    ask.close()
    answer.close()
    return said.properties["status-code"]


def data(body, **more):
    m = Message(body=body, inferred=True, **more)
    return m


def telemetry(c):
    sender = c.create_sender(EVENTS)
    check("the largest message is told", sender.link.remote_max_message_size >= 262144)
    sender.send(data(b"all kinds", id=uuid.UUID(int=7), correlation_id=proton.ulong(9), content_type="text/plain",
                     content_encoding="utf-8", properties={"text": "seven & a half", "int": proton.int32(7), "long": -8,
                                                           "yes": True, "id": uuid.UUID(int=3), "sym": proton.symbol("s")}))
    sender.send(Message(body="a value", id="m2"))
    big = {f"p{i}": "v" * 100 for i in range(100)}
    for i in range(20):  # in pieces of all sizes
        sender.send(data(b"x" * 200000, id=f"big-{i}", properties=big))
    refused("", (SendException, LinkException), lambda: sender.send(data(b"x" * 262145)))


def emulator(*words):
    return subprocess.run([os.environ["HOLDFAST_BIN"] + "/holdfast-emulator", "--data", os.environ["DATA"], *words],
                          check=True, capture_output=True, text=True).stdout


def down(body, *more):
    emulator("c2d", DEVICE, body, "--message-id", f"id-{body}", *more)


def take(receiver, body, deliveries=0):
    m = receiver.receive(timeout=10)
    check(f"{m} is {body}", bytes(m.body) == body.encode(), m.id == f"id-{body}", m.address == BOUND)
    notes = m.annotations or {}
    check(f"the notes {notes}", notes["iothub-sequencenumber"] > 0, notes.get("iothub-deliverycount", 0) == deliveries,
          abs(notes["iothub-enqueuedtime"] / 1000 - time.time()) < 60)
    return m


def nothing(receiver):
    refused("timed out", proton.Timeout, lambda: receiver.receive(timeout=0.3))


def messages(c):
    down("first", "--property", "line=seven & a half", "--ack", "full", "--content-type", "text/plain")
    receiver = c.create_receiver(BOUND, credit=1)
    m = take(receiver, "first")
    check(f"its properties {m}", m.properties["line"] == "seven & a half", m.properties["iothub-ack"] == "full",
          m.content_type == "text/plain")
    receiver.accept()
    down("again")
    take(receiver, "again")
    receiver.release(delivered=False)
    take(receiver, "again", deliveries=1)
    receiver.release(delivered=True)
    take(receiver, "again", deliveries=2)
    receiver.accept()
    down("never", "--ack", "negative")
    take(receiver, "never")
    receiver.reject()
    nothing(receiver)
    # what is not answered comes again, and that does not count
    down("lost")
    take(receiver, "lost")
    receiver.close()
    receiver = c.create_receiver(BOUND, credit=1)
    take(receiver, "lost")
    receiver.accept()
    receiver.close()


def owner():
    c = plain(f"iothubowner@sas.root.{SHORT}", token(HUB, POLICY_KEY, policy="iothubowner"))
    orders = c.create_sender(f"amqps://{HUB}/messages/deviceBound")
    bound = f"/devices/{DEVICE}/messages/deviceBound"
    orders.send(data(b"an order", address=bound, id="o1", properties={"iothub-ack": "positive"}))
    for wrong in (data(b"x", address="/devices/nobody/messages/devicebound"), data(b"x", address="elsewhere"), data(b"x"),
                  data(b"x", address=bound, properties={"iothub-ack": "perhaps"}),
                  data(b"x" * 65537, address=bound), data(b"x", address=bound, expiry_time=time.time() + 200000)):
        refused("", SendException, lambda: orders.send(wrong))
    told = c.create_receiver("/messages/serviceBound/feedback", credit=1)
    batch = told.receive(timeout=10)
    check(f"feedback {batch}", batch.content_type == "application/vnd.microsoft.iothub.feedback.json",
          batch.user_id == SHORT.encode())
    records = {r["originalMessageId"]: r for r in json.loads(bytes(batch.body))}
    check(f"feedback {records}", {k: r["statusCode"] for k, r in records.items()} == {"id-first": "Success", "id-never": "Rejected"},
          all(r["deviceId"] == DEVICE and r["deviceGenerationId"] for r in records.values()))
    told.release(delivered=False)
    batch = told.receive(timeout=10)
    check("it comes again", len(json.loads(bytes(batch.body))) == 2)
    told.accept()
    nothing(told)
    device = plain(f"{DEVICE}@sas.{SHORT}", mine())
    receiver = device.create_receiver(BOUND, credit=1)
    check("the order", bytes(receiver.receive(timeout=10).body) == b"an order")
    receiver.accept()
    device.close()  # which lets the answer out
    records = json.loads(bytes(told.receive(timeout=10).body))
    check(f"feedback {records}", [r["originalMessageId"] for r in records] == ["o1"])
    told.close()  # unanswered
    told = c.create_receiver(f"amqps://{HUB}/messages/servicebound/feedback", credit=1)
    check("it comes to the next", json.loads(bytes(told.receive(timeout=10).body)) == records)
    told.accept()
    c.close()


def logins():
    for user, password in ((f"{DEVICE}@sas.{SHORT}", token(f"{HUB}/devices/{DEVICE}", base64.b64encode(b"k" * 32))),
                           (f"{DEVICE}@sas.{HUB}", mine()), (f"nobody@sas.{SHORT}", mine()), (f"{DEVICE}@sas.{SHORT}", "rain"),
                           (f"{DEVICE}@sas.elsewhere", mine()), (f"{DEVICE}@sas.{SHORT}", mine(seconds=-600)),
                           (f"iothubowner@sas.root.{SHORT}", mine()), (f"{DEVICE}@sas.root.{SHORT}", mine()),
                           (f"iothubowner@sas.root.{SHORT}", token(HUB, KEY, policy="iothubowner"))):
        refused("amqp:unauthorized-access", ConnectionException, lambda: plain(user, password))


def links(c):
    """On a connection that a device has logged in on, or nobody."""
    for address, kind in (("/devices/other/messages/events", "sender"), ("/messages/devicebound", "sender"),
                          ("/messages/servicebound/feedback", "receiver"), ("/devices/other/messages/devicebound", "receiver")):
        refused("amqp:unauthorized-access", LinkException, lambda: getattr(c, "create_" + kind)(address))
    refused("amqp:not-found", LinkException, lambda: c.create_sender("/weather"))
    refused("amqp:not-found", LinkException, lambda: c.create_receiver(f"/devices/{DEVICE}/twin"))


def leaves():
    """Logs in and is gone before it has said whom it means."""
    context = ssl.create_default_context(cafile=os.environ["HOLDFAST_TRUST"])
    raw = context.wrap_socket(socket.create_connection((HUB, 5671)), server_hostname=HUB)
    first = b"\0" + f"{DEVICE}@sas.{SHORT}".encode() + b"\0" + mine().encode()
    body = b"\xa3\x05PLAIN" + b"\xb0" + struct.pack(">I", len(first)) + first
    init = b"\x00\x53\x41\xd0" + struct.pack(">II", len(body) + 4, 2) + body
    raw.sendall(b"AMQP\x03\x01\x00\x00" + struct.pack(">IBBH", len(init) + 8, 2, 1, 0) + init)
    said = b""
    while b"\x00\x53\x44" not in said:
        more = raw.recv(4096)
        check("it hung up", more)
        said += more
    raw.close()


def replaced():
    """A device has one connection: the newest."""
    old = plain(f"{DEVICE}@sas.{SHORT}", mine())
    receiver = old.create_receiver(BOUND, credit=1)
    new = plain(f"{DEVICE}@sas.{SHORT}", mine())
    refused("amqp:link:detach-forced", LinkException, lambda: receiver.receive(timeout=5))
    refused("amqp:unauthorized-access", LinkException, lambda: old.create_sender(EVENTS))
    new.create_sender(EVENTS).send(data(b"by the new one"))
    new.close()
    old.close()


logins()
leaves()
replaced()
c = plain(f"{DEVICE}@sas.{SHORT}", mine())
telemetry(c)
messages(c)
links(c)
c.close()
owner()

# by tokens: nobody is anybody before
c = connect(allowed_mechs="ANONYMOUS")
links(c)
refused("amqp:unauthorized-access", LinkException, lambda: c.create_sender(EVENTS))
audience = f"{HUB}/devices/{DEVICE}"
for name, what, status in ((audience, token(audience, base64.b64encode(b"k" * 32)), 401), (audience, mine(seconds=-600), 401),
                           (f"{HUB}/devices/nobody", token(f"{HUB}/devices/nobody", KEY), 404), (audience, "rain", 401),
                           ("elsewhere.net/devices/x", mine(), 401), (f"{HUB}/devices/other", mine(), 404)):
    got = put_token(c, name, what)
    check(f"the token for {name}: {got}, not {status}", got == status)
check("a good token", put_token(c, urllib.parse.quote(audience, safe=""), mine()) == 200)
check("a renewed token", put_token(c, audience, mine(seconds=700)) == 200)
c.create_sender(f"amqps://{HUB}{EVENTS}").send(data(b"by cbs", id="cbs"))
c.close()
