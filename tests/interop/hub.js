'use strict';
// hub.js TRANSPORT DEVICE KEY HUB COUNT
// A device at its hub as Microsoft's SDK makes one: sends one message and, over HTTP, a batch of two (which the SDK has only there), then
// takes COUNT messages, each of which says what to do with it: complete, abandon (the first time) or reject. Says when it listens, then
// prints them, a line each. (What comes before it listens, over MQTT, its SDK acknowledges and drops.)
const { Client, Message } = require('azure-iot-device');
const run = require('./run');

const transports = {
  mqtt: () => require('azure-iot-device-mqtt').Mqtt,
  'mqtt-ws': () => require('azure-iot-device-mqtt').MqttWs,
  amqp: () => require('azure-iot-device-amqp').Amqp,
  'amqp-ws': () => require('azure-iot-device-amqp').AmqpWs,
  http: () => require('azure-iot-device-http').Http,
};

function greeting(text) {
  const message = new Message(JSON.stringify({ from: text }));
  message.messageId = text;
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.properties.add('line', 'seven & a half');
  return message;
}

function show(message) {
  const properties = {};
  for (let i = 0; i < message.properties.count(); i++) {
    const item = message.properties.getItem(i);
    properties[item.key.replace('iothub-app-', '')] = item.value;
  }
  return { body: message.getData().toString(), id: message.messageId, properties };
}

// Over HTTP the SDK asks no sooner than it is told to, and only answers setOptions() when it is told.
function prepare(client, transport) {
  if (transport !== 'http') return Promise.resolve();
  return new Promise((done, fail) =>
    client.setOptions({ http: { receivePolicy: { interval: 1 } } }, (e) => (e ? fail(e) : done())));
}

function answer(client, message, abandoned) {
  const word = message.getData().toString();
  if (word === 'abandon' && !abandoned.has(word)) {
    abandoned.add(word);
    return client.abandon(message);
  }
  return word === 'reject' ? client.reject(message) : client.complete(message);
}

async function main([transport, device, key, hub, count]) {
  const text = `HostName=${hub};DeviceId=${device};SharedAccessKey=${key}`;
  const client = Client.fromConnectionString(text, transports[transport]());
  const abandoned = new Set();
  await client.open();
  await client.sendEvent(greeting(`one-${transport}`));
  if (transport === 'http') await client.sendEventBatch([greeting(`two-${transport}`), greeting(`three-${transport}`)]);
  await new Promise((done, fail) => {
    let left = Number(count);
    client.on('error', fail);
    client.on('message', (message) => {
      console.log(JSON.stringify(show(message)));
      answer(client, message, abandoned).then(() => --left === 0 && done(), fail);
    });
    prepare(client, transport).then(() => console.log('listening'), fail);
  });
  await client.close();
}

run(main(process.argv.slice(2)));
