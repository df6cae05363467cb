'use strict';
// device.js mqtt|mqtt-ws|amqp|amqp-ws|http symmetric ID KEY | x509 ID CERTIFICATES-FILE KEY-FILE | tpm [ID]
// A device as Microsoft's SDKs make one: registers by the named transport, sends one message to its hub over MQTT, and
// prints what DPS said.
const fs = require('fs');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const run = require('./run');

const transports = {
  mqtt: () => new (require('azure-iot-provisioning-device-mqtt').Mqtt)(),
  'mqtt-ws': () => new (require('azure-iot-provisioning-device-mqtt').MqttWs)(),
  amqp: () => new (require('azure-iot-provisioning-device-amqp').Amqp)(),
  'amqp-ws': () => new (require('azure-iot-provisioning-device-amqp').AmqpWs)(),
  http: () => new (require('azure-iot-provisioning-device-http').Http)(),
};

// How each kind proves itself to DPS (security), and to the hub (connect).
const kinds = {
  symmetric(id, key) {
    const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
    return {
      security: new SymmetricKeySecurityClient(id, key),
      connect: (to) =>
        Client.fromConnectionString(`HostName=${to.assignedHub};DeviceId=${to.deviceId};SharedAccessKey=${key}`, Mqtt),
    };
  },

  x509(id, certFile, keyFile) {
    const { X509Security } = require('azure-iot-security-x509');
    const pair = { cert: fs.readFileSync(certFile, 'utf8'), key: fs.readFileSync(keyFile, 'utf8') };
    return {
      security: new X509Security(id, pair),
      connect: (to) => {
        const text = `HostName=${to.assignedHub};DeviceId=${to.deviceId};x509=true`;
        const client = Client.fromConnectionString(text, Mqtt);
        client.setOptions(pair);
        return client;
      },
    };
  },

  tpm(id = '') {
    const { Tpm } = require('tss.js');
    const { TpmSecurityClient, TpmAuthenticationProvider } = require('azure-iot-security-tpm');
    const security = new TpmSecurityClient(id, new Tpm(true));
    return {
      security,
      connect: (to) => {
        const who = TpmAuthenticationProvider.fromTpmSecurityClient(to.deviceId, to.assignedHub, security);
        return Client.fromAuthenticationProvider(who, Mqtt);
      },
    };
  },
};

function greeting(kind) {
  const message = new Message(JSON.stringify({ from: kind }));
  message.messageId = 'first';
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.properties.add('line', 'seven & a half');
  message.properties.add('größe%', '5 µm/Ω = 5');
  return message;
}

async function main([transport, kind, ...words]) {
  const { HOLDFAST_ID_SCOPE: scope, HOLDFAST_ENDPOINT: endpoint } = process.env;
  const device = kinds[kind](...words);
  const dps = ProvisioningDeviceClient.create(endpoint, scope, transports[transport](), device.security);
  const said = await dps.register();
  const answer = said.registrationState || said; // with a TPM the SDK hands out the whole
  const client = device.connect(answer);
  await client.open();
  await client.sendEvent(greeting(kind));
  await client.close();
  return answer;
}

run(main(process.argv.slice(2)));
