"""mssim_bridge.py SOCKET [PORT]: a TPM simulator as Microsoft's clients know it, with swtpm behind it.

They send commands to PORT (2321) and signals of the platform to PORT + 1, each framed by a 4-byte verb; swtpm takes the
bare commands on its socket. One swtpm connection serves all clients, one command at a time.
"""
import socket
import socketserver
import struct
import sys
import threading

SEND_COMMAND, HANDSHAKE, SESSION_END, STOP = 8, 15, 20, 21
VERSION, HAS_PLATFORM_AND_NV = 1, 9
HEADER = struct.Struct(">HII")  # tag, size, code
WORD = struct.Struct(">I")
DONE = WORD.pack(0)


def take(stream, size):
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def take_word(stream):
    return WORD.unpack(take(stream, WORD.size))[0]


class Chip:
    def __init__(self, path):
        plug = socket.socket(socket.AF_UNIX)
        plug.connect(path)
        self.wire = plug.makefile("rwb")
        self.turn = threading.Lock()

    def run(self, command):
        with self.turn:
            self.wire.write(command)
            self.wire.flush()
            head = take(self.wire, HEADER.size)
            return head + take(self.wire, HEADER.unpack(head)[1] - HEADER.size)


class Client(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            while self.answer(take_word(self.rfile)):
                pass
        except EOFError:
            pass

    def answer(self, verb):
        if verb in (SESSION_END, STOP):
            return False
        if verb == HANDSHAKE:
            take_word(self.rfile)
            self.wfile.write(struct.pack(">II", VERSION, HAS_PLATFORM_AND_NV))
        elif verb == SEND_COMMAND:
            take(self.rfile, 1)  # locality
            reply = chip.run(take(self.rfile, take_word(self.rfile)))
            self.wfile.write(WORD.pack(len(reply)) + reply)
        self.wfile.write(DONE)
        return True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


chip = Chip(sys.argv[1])
port = int(sys.argv[2]) if len(sys.argv) > 2 else 2321
threading.Thread(target=Server(("127.0.0.1", port + 1), Client).serve_forever, daemon=True).start()
Server(("127.0.0.1", port), Client).serve_forever()
