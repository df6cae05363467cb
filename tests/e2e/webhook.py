# webhook.py [CERTIFICATE KEY]: prints its port, then each question as a line; answers as its path says: /HUB[?SECONDS] with
# that hub, /N with that status, /last with the last hub that it was offered.
import http.server, json, ssl, sys, time


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps(question), flush=True)
        word, _, seconds = self.path[1:].partition("?")
        time.sleep(float(seconds or 0))
        context = question["deviceRuntimeContext"]
        answer = {
            "iotHubHostName": question["linkedHubs"][-1] if word == "last" else word,
            "initialTwin": {"tags": {"hooked": True}, "properties": {"desired": {"level": 2.5}}},
            "payload": {"for": context["registrationId"], "heard": context.get("payload")},
        }
        body = json.dumps(answer).encode()
        self.send_response(int(word) if word.isdigit() else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
if len(sys.argv) > 2:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
