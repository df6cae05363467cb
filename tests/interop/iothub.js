'use strict';
// iothub.js TRANSPORT send DEVICE BODY [ACK [SECONDS]] | fill DEVICE N | large DEVICE BYTES | feedback N
// A hub's owner, by Microsoft's SDK: sends a message to a device, its id `id-BODY`, to live for so many seconds; many; one of so many bytes; or
// listens until there are N records of feedback, and prints them in the order of their messages, a line each. The first batch is abandoned
// once, and has to come again.
const { Client } = require('azure-iothub');
const { AmqpWs } = require('azure-iothub/dist/amqp_ws');
const { Message, NoRetry } = require('azure-iot-common');
const run = require('./run');

function order(body, ack, seconds) {
  const message = new Message(body);
  message.messageId = `id-${String(body).slice(0, 40)}`;
  message.ack = ack || 'none';
  if (seconds) message.expiryTimeUtc = Date.now() + seconds * 1000;
  message.properties.add('will', String(body).slice(0, 40));
  return message;
}

function check(batch) {
  const text = batch.getData().toString();
  if (batch.contentType !== 'application/vnd.microsoft.iothub.feedback.json') throw new Error(`a type ${batch.contentType}`);
  if (String(batch.transportObj.user_id) !== 'strangers') throw new Error(`by ${batch.transportObj.user_id}`);
  return JSON.parse(text);
}

async function listen(client, count) {
  const got = await client.getFeedbackReceiver();
  const receiver = got.result || got; // its types promise the one, its code gives the other
  const records = [];
  let abandoned = false;
  await new Promise((done, fail) => {
    receiver.on('error', fail);
    receiver.on('message', (batch) => {
      let came = [];
      try {
        came = check(batch);
      } catch (err) {
        fail(err);
      }
      if (!abandoned) {
        abandoned = true;
        receiver.abandon(batch).catch(fail);
        return;
      }
      records.push(...came);
      receiver.complete(batch).then(() => records.length >= count && done(), fail);
    });
  });
  return records.sort((a, b) => (a.originalMessageId < b.originalMessageId ? -1 : 1)).map((r) => JSON.stringify(r)).join('\n');
}

const verbs = {
  send: (client, device, body, ack, seconds) => client.send(device, order(body, ack, seconds)),
  large: (client, device, bytes) => client.send(device, order(Buffer.alloc(Number(bytes), 'x'))),
  feedback: (client, count) => listen(client, Number(count)),
  async fill(client, device, count) {
    for (let i = 0; i < count; i++) await client.send(device, order(`n${i}`));
  },
};

async function main([transport, verb, ...words]) {
  const client = Client.fromConnectionString(process.env.HOLDFAST_HUB_SERVICE, transport === 'amqp-ws' ? AmqpWs : undefined);
  client.setRetryPolicy(new NoRetry());
  await client.open();
  const said = await verbs[verb](client, ...words);
  await client.close();
  if (typeof said === 'string') console.log(said);
  return {};
}

run(main(process.argv.slice(2)));
