"""A relay on the way to a swtpm, which kills who uses it, or the swtpm: tpm_relay.py SOCKET TO N before|after|gone COMMAND...

Listens at SOCKET and SOCKET.ctrl for TO and TO.ctrl, runs the command, and counts the TPM commands that pass. The command
is killed (SIGKILL) when it sends the Nth, before that is handed on, or after the TPM has obeyed it and before the
answer is. Prints the codes of the commands that the TPM got. Exit status 0: killed; 1: it ended by itself before, well;
2: not well.

gone: the swtpm, whose process is $TPM_PID, is killed instead, when the first command of the name N (Sign) is sent to it. The
relay stays for the next one at TO, and the exit status is the command's.
"""
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

path, to, n, when = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]
names = {0x120: "EvictControl", 0x131: "CreatePrimary", 0x144: "Startup", 0x147: "ActivateCredential", 0x14E: "Unseal",
         0x151: "PolicySecret", 0x155: "HMAC", 0x156: "Import", 0x157: "Load", 0x15D: "Sign", 0x165: "FlushContext",
         0x16B: "PolicyGetDigest", 0x173: "ReadPublic", 0x176: "StartAuthSession", 0x17A: "GetCapability"}
count = 0 if when == "gone" else int(n)
passed, killed = [], threading.Event()
child, ready = None, threading.Event()


def exactly(c, size):
    data = b""
    while len(data) < size:
        more = c.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def message(c):
    head = exactly(c, 10)
    return head + exactly(c, struct.unpack(">I", head[2:6])[0] - 10)


def kill():
    ready.wait()
    child.kill()
    child.wait()
    killed.set()


def commands(c, tpm):
    while True:
        m = message(c)
        code = struct.unpack(">I", m[6:10])[0]
        if when == "gone" and names.get(code) == n and not killed.is_set():
            os.kill(int(os.environ["TPM_PID"]), signal.SIGKILL)
            killed.set()
        if len(passed) + 1 == count and when == "before":
            return kill()
        passed.append(names.get(code, hex(code)))
        tpm.sendall(m)
        answer = message(tpm)
        if len(passed) == count:
            return kill()
        c.sendall(answer)


def control(c, tpm):
    while True:
        tpm.sendall(c.recv(4096) or exactly(c, 1))
        c.sendall(tpm.recv(4096))


def listen(at):
    s = socket.socket(socket.AF_UNIX)
    s.bind(at)
    s.listen()
    return s


def reach(at):
    tpm = socket.socket(socket.AF_UNIX)
    try:
        tpm.connect(at)
    except OSError:
        tpm.close()
        return None
    return tpm


def serve(where, handler):
    s = listen(path + where)

    def accept(s):
        while True:
            c, tpm = s.accept()[0], reach(to + where)
            try:
                handler(c, tpm)
            except (AttributeError, OSError, EOFError):
                pass
            c.close()
            if tpm:
                tpm.close()
            if killed.is_set():
                s = absent(s, where)

    threading.Thread(target=accept, args=(s,), daemon=True).start()


def absent(s, where):
    """As long as the swtpm is away, nobody listens."""
    probe = reach(to + where)
    if not probe:
        s.close()
        os.unlink(path + where)
    while not probe:
        time.sleep(0.02)
        probe = reach(to + where)
        s = listen(path + where) if probe else s
    probe.close()
    return s


serve("", commands)
serve(".ctrl", control)
child = subprocess.Popen(sys.argv[5:])
ready.set()
status = child.wait()
print(*passed, flush=True)
if when == "gone":
    os._exit(status)
os._exit(0 if killed.wait(1 if status == -9 else 0) else 2 if status else 1)
