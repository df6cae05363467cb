"""HTTP proxies that open no way, or no good one: bad_proxy.py OUT SEEN.

One port on 127.0.0.1 for each row of the table; OUT gets "name port" lines, SEEN what each was asked, a line for a connection.
"""
import os
import socket
import struct
import sys
import threading
import time

seen = open(sys.argv[2], "a", buffering=1)


def say(status, *headers):
    return "\r\n".join(["HTTP/1.1 " + status, *headers, "Content-Length: 0", "", ""]).encode()


def answer(said, wait=0.0):
    def talk(c, _):
        c.sendall(said)
        time.sleep(wait)

    return talk


def hang(c, _):
    time.sleep(20)


def reset(c, _):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def pass_on(a, b, most):
    """Bytes from a to b, so many at most; then both ends are gone."""
    try:
        while most > 0:
            data = a.recv(min(most, 65536))
            if not data:
                break
            b.sendall(data)
            most -= len(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def way(back, opened=say("200 Connection established")):
    """A way to whom it names; so many bytes come back by it."""

    def talk(c, target):
        host, port = target.rsplit(":", 1)
        with socket.create_connection((host.strip("[]"), int(port))) as far:
            c.sendall(opened)
            t = threading.Thread(target=pass_on, args=(c, far, 1 << 40), daemon=True)
            t.start()
            pass_on(far, c, back)
            t.join()

    return talk


def improves():
    """The first that comes is refused."""
    barred = [1]

    def talk(c, target):
        if barred:
            barred.pop()
            c.sendall(say("403 Forbidden"))
        else:
            way(1 << 40)(c, target)

    return talk


table = {
    **{"improves-" + by: improves() for by in ("mqtt", "mqtt-ws", "amqp", "amqp-ws", "http")},
    "hangs-long": hang,
    "rejects": answer(say("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="line 7"')),
    "good": way(1 << 40),
    "wants": answer(say("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="line 7"')),
    "negotiates": answer(say("407 Proxy Authentication Required", "Proxy-Authenticate: Negotiate")),
    "forbids": answer(say("403 Forbidden")),
    "fails": answer(say("502 Bad Gateway")),
    "hangs": hang,
    "cuts": answer(b"HTTP/1.1 200 Connection esta"),
    "closes": lambda c, _: None,
    "resets": reset,
    "babbles": answer(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "cuts-tls": way(300),
    "no-tls": answer(say("200 OK").replace(b"Content-Length: 0\r\n", b"") + b"<html>log in first</html>", 3),
    "stalls": answer(say("200 OK").replace(b"Content-Length: 0\r\n", b""), 20),
}


def serve(name, c):
    head = b""
    try:
        while b"\r\n\r\n" not in head:
            more = c.recv(65536)
            if not more:
                break
            head += more
        words = head.decode("latin-1").split()
        print(name, *words[:2], "named" if b"Proxy-Authorization" in head else "nameless", file=seen)
        table[name](c, words[1])
    except (OSError, IndexError):
        pass
    finally:
        c.close()


def listen(name, s):
    while True:
        threading.Thread(target=serve, args=(name, s.accept()[0]), daemon=True).start()


with open(sys.argv[1] + ".new", "w") as out:
    for name in table:
        s = socket.create_server(("127.0.0.1", 0))
        print(name, s.getsockname()[1], file=out)
        threading.Thread(target=listen, args=(name, s), daemon=True).start()
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(280)
