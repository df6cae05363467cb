'use strict';
// owner.js put|put-group JSON | get|get-group|keys|keys-group|delete|delete-group|state ID
// The owner's side, by Microsoft's SDK: creates, reads and deletes enrollments; prints what the service answered.
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const run = require('./run');

const service = ProvisioningServiceClient.fromConnectionString(process.env.HOLDFAST_SERVICE);

const verbs = {
  put: (text) => service.createOrUpdateIndividualEnrollment(JSON.parse(text)),
  get: (id) => service.getIndividualEnrollment(id),
  keys: (id) => service.getIndividualEnrollmentAttestationMechanism(id),
  delete: (id) => service.deleteIndividualEnrollment(id),
  state: (id) => service.getDeviceRegistrationState(id),
  'put-group': (text) => service.createOrUpdateEnrollmentGroup(JSON.parse(text)),
  'get-group': (id) => service.getEnrollmentGroup(id),
  'keys-group': (id) => service.getEnrollmentGroupAttestationMechanism(id),
  'delete-group': (id) => service.deleteEnrollmentGroup(id),
};

const [verb, word] = process.argv.slice(2);
run(verbs[verb](word).then((answer) => (answer ? answer.responseBody : {})));
