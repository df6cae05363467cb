'use strict';
// batch.js DEVICE HUB TOKEN
// rhea, with a login by PLAIN, sends as Azure's C SDK does: message format 0x80013700, in which each data section is a whole message, its
// sections in the C SDK's order. First a batch of three, then one whose second message cannot be read, of which nothing may arrive.
const rhea = require('rhea');
const run = require('./run');

const BATCH = 0x80013700;
const text = (s) => Buffer.concat([Buffer.from([0xa1, Buffer.byteLength(s)]), Buffer.from(s)]);
const section = (code, value) => Buffer.concat([Buffer.from([0x00, 0x53, code]), value]);
const small = (code, count, inside) => Buffer.concat([Buffer.from([code, inside.length + 1, count]), inside]);
const data = (bytes) => {
  const head = Buffer.from([0xb0, 0, 0, 0, 0]);
  head.writeUInt32BE(bytes.length, 1);
  return section(0x75, Buffer.concat([head, bytes]));
};
const plain = (body) => Buffer.concat([section(0x73, Buffer.from([0x45])), data(Buffer.from(body))]);
const whole = Buffer.concat([
  section(0x73, small(0xc0, 1, text('batch-1'))),
  section(0x74, small(0xc1, 4, Buffer.concat([text('line'), text('seven'), text('empty'), text('')]))),
  section(0x72, small(0xc1, 2, Buffer.concat([Buffer.from([0xa3, 10]), Buffer.from('dt-subject'), text('thermostat')]))),
  data(Buffer.from('in a batch')),
]);

function talk(device, hub, token) {
  return new Promise((done, fail) => {
    const connection = rhea.connect({ host: hub, servername: hub, hostname: hub, port: 5671, transport: 'tls', reconnect: false,
      username: `${device}@sas.${hub.split('.')[0]}`, password: token });
    const said = [];
    const heard = (word) => said.push(word) === 2 && (connection.close(), done(said));
    connection.on('connection_error', (at) => fail(at.connection.error));
    connection.on('disconnected', (at) => fail(at.error || new Error('disconnected')));
    const sender = connection.open_sender({ target: `/devices/${device}/messages/events` });
    sender.on('sender_error', (at) => fail(at.sender.error));
    sender.on('accepted', () => heard('accepted'));
    sender.on('rejected', (at) => heard(at.delivery.remote_state.error.condition));
    sender.once('sendable', () => {
      sender.send(Buffer.concat([data(whole), data(plain('second')), data(Buffer.from(rhea.message.encode({ body: 'third', message_id: 'b3' })))]),
        undefined, BATCH);
      sender.send(Buffer.concat([data(plain('fourth')), data(Buffer.from([0, 1, 2]))]), undefined, BATCH);
    });
  });
}

run(talk(...process.argv.slice(2)));
