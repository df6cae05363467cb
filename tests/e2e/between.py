"""A relay that ends TLS and begins it anew: between.py PORT-FILE CERT KEY CA PORT LOG [OLD NEW].

Listens on a free port (written to PORT-FILE) as the server of CERT, hands all bytes on to 127.0.0.1:PORT, and writes what
the client said to LOG. OLD is replaced by NEW, a text of the same length, in what the client says.
"""
import os
import socket
import ssl
import sys
import threading

port_file, cert, key, ca, port, log = sys.argv[1:7]
old, new = (text.encode() for text in sys.argv[7:9]) if len(sys.argv) > 7 else (b"", b"")

inward = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
inward.load_cert_chain(cert, key)
outward = ssl.create_default_context(cafile=ca)


def whole(connection):
    """One HTTP request with its body, b"" at the end."""
    said = b""
    while b"\r\n\r\n" not in said:
        more = connection.recv(65536)
        if not more:
            return b""
        said += more
    head, body = said.split(b"\r\n\r\n", 1)
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while length and len(body) < length[0]:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answers(server, client):
    try:
        while True:
            said = server.recv(65536)
            if not said:
                break
            client.sendall(said)
    except OSError:
        pass
    client.close()


def serve(plain):
    client = inward.wrap_socket(plain, server_side=True)
    server = outward.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname="localhost")
    threading.Thread(target=answers, args=(server, client), daemon=True).start()
    while True:
        said = whole(client)
        if not said:
            break
        if old:
            said = said.replace(old, new)
        with open(log, "ab") as out:
            out.write(said + b"\n")
        server.sendall(said)
    server.close()


listening = socket.create_server(("127.0.0.1", 0))
with open(port_file + ".new", "w") as out:
    out.write(str(listening.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
