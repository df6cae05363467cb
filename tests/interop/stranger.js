// A service that shares no line with ours: DPS over MQTT (8883) and HTTPS (443), and a hub, as the references have them.
// It checks what our device says with Node's own crypto, answers as the real service was seen to, and prints one JSON
// line for each thing heard. Usage: stranger.js FOLDER (cert.pem, key.pem) KEY
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const tls = require('tls');
const mqtt = require('mqtt-packet');

const [folder, key] = process.argv.slice(2);
const hub = 'strangers.azure-devices.net';
const scope = '0ne00stranger';
const pair = { cert: fs.readFileSync(`${folder}/cert.pem`), key: fs.readFileSync(`${folder}/key.pem`) };
const polls = {};

function heard(what, more) {
  console.log(JSON.stringify({ heard: what, ...more }));
}

// true when the token is signed for this resource, by this key, and not over
function signed(token, resource) {
  const fields = Object.fromEntries((token || '').replace(/^SharedAccessSignature /, '').split('&').map((f) => {
    const at = f.indexOf('=');
    return [f.slice(0, at), f.slice(at + 1)];
  }));
  const mac = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${fields.sr}\n${fields.se}`).digest('base64');
  return decodeURIComponent(fields.sr || '') === resource && decodeURIComponent(fields.sig || '') === mac &&
    Number(fields.se) > Date.now() / 1000;
}

function assigning(id) {
  return { operationId: `4.0123456789abcdef.${id}`, status: 'assigning', registrationState: { registrationId: id, status: 'assigning' } };
}

function assigned(id) {
  return {
    operationId: `4.0123456789abcdef.${id}`, status: 'assigned',
    registrationState: {
      symmetricKey: {}, registrationId: id, createdDateTimeUtc: '2026-04-10T03:12:34.5678901Z', assignedHub: hub, deviceId: `${id}-dev`,
      status: 'assigned', substatus: 'initialAssignment', lastUpdatedDateTimeUtc: '2026-04-10T03:12:35.5678901Z',
      etag: 'IjA2MDA4ZTYyLTAwMDAtMzMwMC0wMDAwLTY5MzFmMjdhMDAwMCI=', payload: { area: 7 },
    },
  };
}

// register: 202 and a time to wait; the first poll: still; the second: done
function answer(id, polling) {
  if (!polling) polls[id] = 0;
  else polls[id] += 1;
  return polls[id] < 2 ? [202, assigning(id)] : [200, assigned(id)];
}

function dps(socket, id, packet) {
  const register = packet.topic.match(/^\$dps\/registrations\/PUT\/iotdps-register\/\?\$rid=([^&]+)$/);
  const poll = packet.topic.match(/^\$dps\/registrations\/GET\/iotdps-get-operationstatus\/\?\$rid=([^&]+)&operationId=([^&]+)$/);
  if (!register && !poll) return socket.destroy(new Error(`not a topic of DPS: ${packet.topic}`));
  heard(register ? 'register' : 'poll', { topic: packet.topic, body: packet.payload.toString(), qos: packet.qos });
  const [status, body] = answer(id, !register);
  const wait = status === 202 ? '&retry-after=1' : '';
  if (packet.qos) socket.write(mqtt.generate({ cmd: 'puback', messageId: packet.messageId }));
  return socket.write(mqtt.generate({
    cmd: 'publish', topic: `$dps/registrations/res/${status}/?$rid=${(register || poll)[1]}${wait}`, payload: JSON.stringify(body),
    qos: 1, messageId: 1, dup: false, retain: false,
  }));
}

function connect(socket, packet) {
  const user = packet.username || '';
  const password = (packet.password || '').toString();
  const registration = user.match(/^([^/]+)\/registrations\/([^/]+)\/api-version=\d{4}-\d\d-\d\d(&ClientVersion=[^&]+)?$/);
  const device = user.match(/^([^/]+)\/([^/]+)\/\?api-version=\d{4}-\d\d-\d\d(&DeviceClientType=[^&]+)?$/);
  const resource = registration ? `${registration[1]}/registrations/${registration[2]}` : device && `${device[1]}/devices/${device[2]}`;
  const good = resource && packet.clientId === (registration || device)[2] && signed(password, resource) &&
    packet.protocolVersion === 4 && (registration ? registration[1] === scope : device[1] === hub);
  heard('connect', { username: user, clean: packet.clean, keepalive: packet.keepalive, good: Boolean(good) });
  socket.write(mqtt.generate({ cmd: 'connack', returnCode: good ? 0 : 5, sessionPresent: false }));
  if (!good) socket.end();
  return good ? { id: (registration || device)[2], dps: Boolean(registration) } : null;
}

tls.createServer(pair, (socket) => {
  const parser = mqtt.parser();
  let who = null;
  socket.on('error', (e) => heard('error', { text: e.message }));
  socket.on('data', (bytes) => parser.parse(bytes));
  parser.on('error', (e) => socket.destroy(e));
  parser.on('packet', (packet) => {
    if (packet.cmd === 'connect') who = connect(socket, packet);
    else if (!who) socket.destroy();
    else if (packet.cmd === 'subscribe') {
      heard('subscribe', { filters: packet.subscriptions.map((s) => s.topic) });
      socket.write(mqtt.generate({ cmd: 'suback', messageId: packet.messageId, granted: packet.subscriptions.map((s) => s.qos) }));
    } else if (packet.cmd === 'publish' && who.dps) dps(socket, who.id, packet);
    else if (packet.cmd === 'publish') {
      heard('event', { topic: packet.topic, body: packet.payload.toString(), qos: packet.qos });
      socket.write(mqtt.generate({ cmd: 'puback', messageId: packet.messageId }));
    } else if (packet.cmd === 'disconnect') heard('disconnect', { dps: who.dps });
  });
}).listen(8883, '127.0.0.1');

https.createServer(pair, (request, response) => {
  const line = request.url.match(/^\/([^/]+)\/registrations\/([^/]+)\/(register|operations\/([^/]+))\?api-version=\d{4}-\d\d-\d\d$/);
  let text = '';
  request.on('data', (piece) => { text += piece; });
  request.on('end', () => {
    const polling = request.method === 'GET';
    const good = line && line[1] === scope && request.method === (line[4] ? 'GET' : 'PUT') &&
      signed(request.headers.authorization, `${line[1]}/registrations/${line[2]}`);
    heard(polling ? 'http poll' : 'http register', { url: request.url, body: text, type: request.headers['content-type'], good: Boolean(good) });
    const [status, body] = good ? answer(line[2], polling) :
      [401, { errorCode: 401002, trackingId: '00000000-1111-2222-3333-444444444444', message: 'Unauthorized', timestampUtc: '2026-04-10T03:12:34Z' }];
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...(status === 202 ? { 'retry-after': '1' } : {}) });
    response.write(JSON.stringify(body).slice(0, 20)); // in chunks, as the real service sends it
    setTimeout(() => response.end(JSON.stringify(body).slice(20)), 20);
  });
}).listen(443, '127.0.0.1', () => heard('ready'));
