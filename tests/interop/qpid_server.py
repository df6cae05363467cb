"""qpid_server.py CERTIFICATE KEY DEVICE DEVICE-KEY: Qpid Proton in the hub's chair, at port 5671: takes tokens over $cbs and telemetry, and has one
message for the device, until it is accepted. Prints what it sees, one JSON object a line. A message that says "too much" is refused, one that
says "again" is handed back the first time."""
import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.parse

from proton import Condition, Delivery, Message, SSLDomain, int32, timestamp, ulong
from proton.handlers import MessagingHandler
from proton.reactor import Container

CERTIFICATE, PRIVATE, DEVICE, KEY = sys.argv[1:]
HUB = "strangers.azure-devices.net"
EVENTS, BOUND = (f"/devices/{DEVICE}/messages/{way}" for way in ("events", "devicebound"))
UNAUTHORIZED = "amqp:unauthorized-access"


def say(what, **more):
    print(json.dumps({"heard": what, **more}), flush=True)


def is_good(token):
    words = dict(pair.split("=", 1) for pair in token.removeprefix("SharedAccessSignature ").split("&"))
    mac = hmac.new(base64.b64decode(KEY), f"{words['sr']}\n{words['se']}".encode(), hashlib.sha256).digest()
    return (token.startswith("SharedAccessSignature ") and urllib.parse.unquote(words["sr"]) == f"{HUB}/devices/{DEVICE}"
            and urllib.parse.unquote(words["sig"]) == base64.b64encode(mac).decode() and int(words["se"]) > time.time())


class Hub(MessagingHandler):
    def __init__(self):
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.down, self.turned = True, False

    def on_start(self, event):
        domain = SSLDomain(SSLDomain.MODE_SERVER)
        domain.set_credentials(CERTIFICATE, PRIVATE, None)
        event.container.listen("amqps://127.0.0.1:5671", ssl_domain=domain)
        say("ready")

    def on_connection_opening(self, event):
        event.connection.known, event.connection.answers = False, None
        say("open", hostname=event.connection.remote_hostname)

    def on_link_opening(self, event):
        link, c = event.link, event.connection
        address = link.remote_target.address if link.is_receiver else link.remote_source.address
        say("attach", address=address, sends=link.is_receiver)
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if address not in ("$cbs", EVENTS, BOUND) or (address != "$cbs" and not c.known):
            link.condition = Condition(UNAUTHORIZED, '{"errorCode":401002,"trackingId":"t","message":"no token"}')
            link.open()
            link.close()
            return
        if address == "$cbs" and link.is_sender:
            c.answers = link
        if link.is_receiver:
            link.flow(10)

    def on_link_closing(self, event):
        say("detach")

    def on_sendable(self, event):
        if event.link.source.address != BOUND or not self.down:
            return
        self.down = False
        message = Message(body=b"from another hub", inferred=True, id=ulong(77), address=BOUND, correlation_id="c1",
                          content_type="text/plain", properties={"iothub-ack": "full", "line": "seven & a half"},
                          annotations={"iothub-sequencenumber": 5, "iothub-enqueuedtime": timestamp(int(time.time() * 1000)),
                                       "iothub-deliverycount": int32(0), "x-opt-else": "what"})
        event.link.send(message)

    def on_message(self, event):
        link, m = event.link, event.message
        link.flow(1)
        if link.target.address == "$cbs":
            self.token(event, m)
            return
        body = bytes(m.body).decode()
        say("event", body=body, id=str(m.id) if m.id is not None else None, to=m.address, properties=m.properties,
            type=str(m.content_type), encoding=str(m.content_encoding), annotations={str(k): str(v) for k, v in (m.annotations or {}).items()})
        if body == "too much":
            event.delivery.local.condition = Condition("amqp:not-allowed", '{"errorCode":400004,"trackingId":"t7","message":"too much"}')
            event.delivery.update(Delivery.REJECTED)
        elif body == "again" and not self.turned:
            self.turned = True
            event.delivery.update(Delivery.RELEASED)
        else:
            event.delivery.update(Delivery.ACCEPTED)
        event.delivery.settle()

    def token(self, event, m):
        good = m.properties["operation"] == "put-token" and is_good(m.body)
        say("token", name=m.properties["name"], type=m.properties["type"], good=good)
        event.delivery.update(Delivery.ACCEPTED)
        event.delivery.settle()
        event.connection.known |= good
        reply = Message(correlation_id=m.id, properties={"status-code": int32(200 if good else 401),
                                                        "status-description": "OK" if good else "not his key"})
        event.connection.answers.send(reply)

    def on_settled(self, event):
        words = {Delivery.ACCEPTED: "accepted", Delivery.REJECTED: "rejected", Delivery.RELEASED: "released"}
        if event.link.source.address == BOUND:
            say("outcome", outcome=words.get(event.delivery.remote_state, str(event.delivery.remote_state)))
            self.down = event.delivery.remote_state == Delivery.RELEASED
        event.delivery.settle()

    def on_connection_closing(self, event):
        say("close")

    def on_transport_error(self, event):
        say("trouble", why=str(event.transport.condition))


Container(Hub()).run()
