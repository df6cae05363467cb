"""Servers that misbehave: peer.py CERT KEY OUT.

One port on 127.0.0.1 for each row of the table; OUT gets "name port" lines. Those whose name begins with "plain" speak no
TLS; all others are servers of CERT, and break the rules of the protocol above.
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time

tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1], sys.argv[2])


def exactly(c, n):
    data = b""
    while len(data) < n:
        more = c.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def packet(c):
    """The next MQTT packet: first byte and body."""
    first, length, shift = exactly(c, 1)[0], 0, 0
    while True:
        byte = exactly(c, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first, exactly(c, length)


def mqtt(first, body):
    length, left = b"", len(body)
    while True:
        left, digit = left >> 7, left & 127
        length += bytes([digit | (128 if left else 0)])
        if not left:
            return bytes([first]) + length + body


def connack(c, code=0):
    packet(c)
    c.sendall(mqtt(0x20, bytes([0, code])))


def publish(topic, body):
    return mqtt(0x30, struct.pack(">H", len(topic)) + topic + body)


def dps(said, granted=1):
    """As DPS until the device has asked to be registered; then it says this."""

    def talk(c):
        connack(c)
        first, body = packet(c)
        c.sendall(mqtt(0x90, body[:2] + bytes([granted])))
        packet(c)
        c.sendall(said)

    return talk


def hub(said, wait=0):
    def talk(c):
        connack(c)
        packet(c)
        c.sendall(said)
        time.sleep(wait)

    return talk


def at_once(said):
    def talk(c):
        packet(c)
        c.sendall(said)

    return talk


def http(said, wait=5):
    def talk(c):
        c.recv(65536)
        c.sendall(said)
        time.sleep(wait)

    return talk


def answer(status, body, extra=""):
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return http(head.encode() + body)


def performative(what, *fields, kind=0):
    """An AMQP frame on channel 0 whose fields are encoded already."""
    body = b"".join(fields)
    frame = bytes([0, 0x53, what, 0xC0, len(body) + 1, len(fields)]) + body
    return struct.pack(">IBBH", len(frame) + 8, 2, kind, 0) + frame


def amqp(*said, wait=20):
    """Answers what came, each time with the next of these."""

    def talk(c):
        for one in said:
            c.recv(65536)
            c.sendall(one)
        time.sleep(wait)

    return talk


amqp_header, sasl_header = b"AMQP\0\1\0\0", b"AMQP\3\1\0\0"
mechanisms = performative(0x40, b"\xa3\x05PLAIN", kind=1)
let_in = performative(0x44, b"\x50\0", kind=1)
opened = performative(0x10, b"\xa1\x03hub")


def each(status, extra="", most=1):
    """So many requests are answered on a connection, and then it ends."""

    def talk(c):
        for _ in range(most):
            head = b""
            while b"\r\n\r\n" not in head:
                head += exactly(c, 1)
            length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            exactly(c, int(length[0]) if length else 0)
            c.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{extra}\r\n".encode())

    return talk


def reset(c):
    c.recv(65536)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_closed(c):
    c.recv(65536)
    c.unwrap()
    time.sleep(20)


def silent(c):
    time.sleep(20)


def endless(c):
    c.recv(65536)
    c.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        c.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")


reply = b"$dps/registrations/res/200/?$rid=1"
table = {
    "plain-http": http(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 0),
    "plain-ssh": lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "plain-silent": silent,
    "plain-closed": lambda c: None,
    "silent": silent,
    "closed": lambda c: None,
    "mqtt-too-large": at_once(b"\x20\xff\xff\xff\x7f"),
    "mqtt-bad-length": at_once(b"\x20\xff\xff\xff\xff\x7f"),
    "mqtt-bad-type": at_once(b"\xf0\x00"),
    "mqtt-truncated": at_once(b"\x20\x02\x00"),
    "mqtt-connack-short": at_once(b"\x20\x01\x00"),
    "mqtt-client-speaks": at_once(mqtt(0x82, b"\x00\x01\x00\x01#\x01")),
    "mqtt-not-now": lambda c: connack(c, 3),
    "dps-not-json": dps(publish(reply, b'{"operationId":')),
    "dps-no-object": dps(publish(reply, b"[1,2]")),
    "dps-no-hub": dps(publish(reply, b'{"operationId":"1","status":"assigned","registrationState":{"status":"assigned"}}')),
    "dps-bad-status": dps(publish(b"$dps/registrations/res/abc/?$rid=1", b"{}")),
    "dps-strange-topic": dps(publish(b"$dps/elsewhere", b"{}")),
    "dps-not-granted": dps(b"", 0x80),
    "dps-too-large": dps(b"\x30\xff\xff\xff\x7f"),
    "dps-truncated": dps(publish(reply, b'{"operationId":"1","status":"assigning"}')[:-9]),
    "dps-nul": dps(publish(reply, b'{"operationId":"1\\u0000","status":"assigning"}')),
    "dps-deep": dps(publish(reply, b'{"a":' * 9000 + b"1" + b"}" * 9000)),
    "hub-too-large": hub(b"\x30\xff\xff\xff\x7f"),
    "hub-truncated": hub(b"\x40\x02\x00"),
    "hub-garbage": hub(b"\x00\x00\xff\xff\x00"),
    "hub-strange-ack": hub(b"\x40\x02\xff\xfe", 10),
    "hub-no-connack": silent,
    "hub-ends": lambda c: None,
    "hub-half-closed": half_closed,
    "ws-silent": silent,
    "ws-forbids": each("403 Forbidden"),
    "ws-fails": each("503 Service Unavailable"),
    "amqp-no-header": silent,
    "amqp-no-mechanisms": amqp(sasl_header),
    "amqp-no-outcome": amqp(sasl_header + mechanisms),
    "amqp-no-second-header": amqp(sasl_header + mechanisms, let_in),
    "amqp-no-open": amqp(sasl_header + mechanisms, let_in + amqp_header),
    "amqp-no-attach": amqp(sasl_header + mechanisms, let_in + amqp_header + opened),
    "amqp-not-in": amqp(sasl_header + mechanisms, performative(0x44, b"\x50\1", kind=1)),
    "amqp-large-frame": amqp(sasl_header + mechanisms, let_in + amqp_header + b"\x7f\xff\xff\xff\2\0\0\0"),
    "amqp-unknown": amqp(sasl_header + mechanisms, let_in + amqp_header + opened + performative(0x55)),
    "amqp-not-amqp": amqp(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "hub-amqp-no-header": silent,
    "hub-amqp-no-open": amqp(amqp_header),
    "hub-amqp-no-attach": amqp(amqp_header + opened),
    "hub-amqp-large-frame": amqp(amqp_header + opened + b"\x7f\xff\xff\xff\2\0\0\0"),
    "hub-amqp-unknown": amqp(amqp_header + opened + performative(0x55)),
    "hub-amqp-wants-sasl": amqp(sasl_header + mechanisms),
    "hub-amqp-ends": amqp(amqp_header + opened, wait=0),
    "hub-http-silent": silent,
    "hub-http-ends": lambda c: c.recv(65536),
    "hub-http-resets": reset,
    "hub-http-429": each("429 Too Many Requests", "Retry-After: 60\r\n"),
    "hub-http-503": each("503 Service Unavailable", "Connection: close\r\n"),
    "hub-http-401": each("401 Unauthorized"),
    "hub-http-one-each": each("204 No Content", "Connection: close\r\n"),
    "hub-http-three-each": each("204 No Content", most=3),
    "hub-http-endless": endless,
    "http-not-http": http(b"220 mail.example ESMTP\r\n\r\n"),
    "http-not-json": answer("200 OK", b'{"operationId":'),
    "http-not-json-401": answer("401 Unauthorized", b"<html>no</html>"),
    "http-no-object": answer("202 Accepted", b"[1,2]"),
    "http-no-hub": answer("200 OK", b'{"operationId":"1","status":"assigned","registrationState":{"status":"assigned"}}'),
    "http-no-operation": answer("202 Accepted", b'{"status":"assigning"}'),
    "http-truncated": http(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"operationId"', 0),
    "http-too-large": http(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"),
    "http-two-lengths": http(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "http-bad-chunk": http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "http-endless": endless,
    "http-500": answer("500 Internal Server Error", b'{"errorCode":500001,"trackingId":"t-500","message":"not today"}'),
    "http-429": answer("429 Too Many", b'{"errorCode":429001,"trackingId":"t-429","message":"too often"}', "Retry-After: 60\r\n"),
}


def serve(name, c):
    try:
        if not name.startswith("plain"):
            c = tls.wrap_socket(c, server_side=True)
        table[name](c)
    except (OSError, EOFError):
        pass
    finally:
        c.close()


def listen(name, s):
    while True:
        threading.Thread(target=serve, args=(name, s.accept()[0]), daemon=True).start()


with open(sys.argv[3] + ".new", "w") as out:
    for name in table:
        s = socket.create_server(("127.0.0.1", 0))
        print(name, s.getsockname()[1], file=out)
        threading.Thread(target=listen, args=(name, s), daemon=True).start()
os.rename(sys.argv[3] + ".new", sys.argv[3])
time.sleep(280)
