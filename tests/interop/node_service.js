'use strict';
// node_service.js DEVICE-CERTIFICATE CA-CERTIFICATE HUB, after press-1 and press-2 have registered by the group "line", and
// mixer by itself. Calls every operation that the SDK's client of the service has, and looks at what comes back.
const assert = require('assert');
const crypto = require('crypto');
const fs = require('fs');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const run = require('./run');

const service = ProvisioningServiceClient.fromConnectionString(process.env.HOLDFAST_SERVICE);
const [certFile, caFile, hub] = process.argv.slice(2);
const body = (answer) => answer.responseBody;

// The public part of an endorsement key, by the TCG's template L-1, base64.
function endorsementKey() {
  const { publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n, 'base64url');
  const policy = '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa';
  return Buffer.concat([
    Buffer.from(`013a0001000b000300b20020${policy}00060080004300100800000000000100`, 'hex'),
    modulus,
  ]).toString('base64');
}

async function refused(name, code, promise) {
  await assert.rejects(promise, (err) => {
    assert.strictEqual(err.name, name, `${err.name}: ${err.message}`);
    assert.strictEqual(JSON.parse(err.responseBody).errorCode, code);
    assert.strictEqual(String(code), err.response.headers['x-ms-error-code']);
    return true;
  });
}

// By TPM, certificate and key: created, read, changed by who read it last, deleted.
async function individuals() {
  const pem = fs.readFileSync(certFile, 'utf8');
  const key = crypto.randomBytes(64).toString('base64');
  const attestations = {
    tpm: { type: 'tpm', tpm: { endorsementKey: endorsementKey() } },
    x509: { type: 'x509', x509: { clientCertificates: { primary: { certificate: pem } } } },
    symmetricKey: { type: 'symmetricKey', symmetricKey: { primaryKey: key, secondaryKey: key } },
  };
  for (const [kind, attestation] of Object.entries(attestations)) {
    const id = `by-${kind}`;
    const made = body(
      await service.createOrUpdateIndividualEnrollment({
        registrationId: id,
        deviceId: `device-${kind}`,
        attestation,
        provisioningStatus: 'enabled',
        allocationPolicy: 'static',
        iotHubs: [hub],
        capabilities: { iotEdge: kind === 'tpm' },
        initialTwin: { tags: { floor: 2 }, properties: { desired: { speed: 1.5 } } },
        reprovisionPolicy: { updateHubAssignment: true, migrateDeviceData: false },
        optionalDeviceInformation: { colour: 'red' },
      })
    );
    assert.strictEqual(made.attestation.type, kind);
    const read = body(await service.getIndividualEnrollment(id));
    assert.deepStrictEqual(read, made);
    assert.strictEqual(read.capabilities.iotEdge, kind === 'tpm');
    assert.strictEqual(read.initialTwin.properties.desired.speed, 1.5);
    assert.strictEqual(read.attestation.symmetricKey, undefined);
    const changed = body(await service.createOrUpdateIndividualEnrollment({ ...read, provisioningStatus: 'disabled' }));
    assert.strictEqual(changed.provisioningStatus, 'disabled');
    assert.strictEqual(changed.createdDateTimeUtc, made.createdDateTimeUtc);
    assert.notStrictEqual(changed.etag, made.etag);
    await refused('InvalidEtagError', 412000, service.createOrUpdateIndividualEnrollment(read));
    delete read.etag;
    await refused('DeviceAlreadyExistsError', 409201, service.createOrUpdateIndividualEnrollment(read));
    const whole = body(await service.getIndividualEnrollmentAttestationMechanism(id));
    assert.strictEqual(whole.type, kind);
    if (kind === 'symmetricKey') assert.strictEqual(whole.symmetricKey.primaryKey, key);
    if (kind === 'tpm') assert.strictEqual(whole.tpm.endorsementKey, attestation.tpm.endorsementKey);
    if (kind === 'x509') {
      const { info } = whole.x509.clientCertificates.primary;
      assert.strictEqual(info.sha1Thumbprint, new crypto.X509Certificate(pem).fingerprint.replace(/:/g, ''));
    }
    await refused('InvalidEtagError', 412000, service.deleteIndividualEnrollment(id, made.etag));
    await service.deleteIndividualEnrollment(kind === 'tpm' ? changed : id);
    await refused('Error', 404201, service.getIndividualEnrollment(id));
  }
  await refused('Error', 404201, service.deleteIndividualEnrollment('by-tpm'));
  await refused('ArgumentError', 400004, service.createOrUpdateIndividualEnrollment({ registrationId: 'x' }));
}

async function groups() {
  const pem = fs.readFileSync(caFile, 'utf8');
  const attestations = {
    x509: { type: 'x509', x509: { signingCertificates: { primary: { certificate: pem } } } },
    symmetricKey: { type: 'symmetricKey' },
  };
  for (const [kind, attestation] of Object.entries(attestations)) {
    const id = `all-${kind}`;
    const made = body(await service.createOrUpdateEnrollmentGroup({ enrollmentGroupId: id, attestation }));
    const read = body(await service.getEnrollmentGroup(id));
    assert.deepStrictEqual(read, made);
    assert.strictEqual(read.provisioningStatus, 'enabled');
    const changed = body(await service.createOrUpdateEnrollmentGroup({ ...read, allocationPolicy: 'geoLatency' }));
    assert.strictEqual(changed.allocationPolicy, 'geoLatency');
    await refused('InvalidEtagError', 412000, service.createOrUpdateEnrollmentGroup(read));
    const whole = body(await service.getEnrollmentGroupAttestationMechanism(id));
    if (kind === 'symmetricKey') assert.strictEqual(Buffer.from(whole.symmetricKey.primaryKey, 'base64').length, 64);
    if (kind === 'x509') assert.strictEqual(whole.x509.signingCertificates.primary.info.subjectName, 'CN=line-ca');
    await refused('InvalidEtagError', 412000, service.deleteEnrollmentGroup(read));
    await service.deleteEnrollmentGroup(changed);
    await refused('Error', 404201, service.getEnrollmentGroup(id));
  }
}

// The client's bulk operation works with a callback only.
const bulk = (mode, enrollments) =>
  new Promise((resolve, reject) =>
    service.runBulkEnrollmentOperation({ mode, enrollments }, (err, result) => (err ? reject(err) : resolve(result)))
  );
const codes = (result) => result.errors.map((e) => `${e.registrationId} ${e.errorCode}`);

async function inBulk() {
  const key = () => crypto.randomBytes(32).toString('base64');
  const make = (n) => ({
    registrationId: `bulk-${n}`,
    attestation: { type: 'symmetricKey', symmetricKey: { primaryKey: key(), secondaryKey: key() } },
  });
  const ten = [...Array(10).keys()].map(make);
  assert.deepStrictEqual(await bulk('create', ten), { isSuccessful: true, errors: [] });
  await refused('ArgumentError', 400004, bulk('create', [...ten, make(10)]));
  const again = await bulk('create', [make(9), make(10)]);
  assert.strictEqual(again.isSuccessful, false);
  assert.deepStrictEqual(codes(again), ['bulk-9 409201']);
  assert.ok(again.errors[0].errorStatus.length > 0);
  assert.deepStrictEqual(codes(await bulk('update', [make(0), make(11)])), ['bulk-11 404201']);
  const read = body(await service.getIndividualEnrollment('bulk-1'));
  const late = { ...make(2), etag: read.etag };
  assert.deepStrictEqual(codes(await bulk('updateIfMatchEtag', [read, late])), ['bulk-2 412000']);
  return ten;
}

// Without a callback the SDK's query asks for its first page again and again.
const next = (query) =>
  new Promise((resolve, reject) =>
    query.next((err, page, response) => (err ? reject(err) : resolve({ page, headers: response.headers })))
  );

async function pagesOf(query, type) {
  const pages = [];
  while (query.hasMoreResults && pages.length < 10) {
    const { page, headers } = await next(query);
    assert.strictEqual(headers['x-ms-item-type'], type);
    pages.push(page);
  }
  return pages;
}

async function queries(ten) {
  const all = { query: 'SELECT * FROM enrollments' };
  const pages = await pagesOf(service.createIndividualEnrollmentQuery(all, 5), 'Enrollment');
  assert.deepStrictEqual(pages.map((page) => page.length), [5, 5, 2]); // bulk-0 to bulk-10, and mixer
  const ids = pages.flat().map((e) => e.registrationId);
  assert.deepStrictEqual(ids, [...new Set(ids)].sort());
  assert.strictEqual(pages[2][1].registrationState.status, 'assigned');
  assert.strictEqual((await pagesOf(service.createIndividualEnrollmentQuery(all), 'Enrollment')).length, 1);
  const groupQuery = service.createEnrollmentGroupQuery({ query: 'SELECT * FROM enrollmentGroups' }, 10);
  const some = await pagesOf(groupQuery, 'EnrollmentGroup');
  assert.deepStrictEqual(some.flat().map((e) => e.enrollmentGroupId), ['line']);
  const query = service.createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, 'line', 1);
  const states = await pagesOf(query, 'DeviceRegistration');
  assert.deepStrictEqual(states.map((page) => page.map((s) => s.registrationId)), [['press-1'], ['press-2']]);
  assert.deepStrictEqual(await bulk('delete', ten), { isSuccessful: true, errors: [] });
  assert.deepStrictEqual(codes(await bulk('delete', [ten[0]])), ['bulk-0 404201']);
  await service.deleteIndividualEnrollment('bulk-10');
}

async function registrations() {
  const state = body(await service.getDeviceRegistrationState('press-1'));
  assert.strictEqual(state.assignedHub, hub);
  assert.strictEqual(state.deviceId, 'press-1');
  assert.strictEqual(state.status, 'assigned');
  assert.strictEqual(state.substatus, 'initialAssignment');
  await refused('InvalidEtagError', 412000, service.deleteDeviceRegistrationState('press-1', 'b2xk'));
  await service.deleteDeviceRegistrationState(state);
  await refused('Error', 404201, service.getDeviceRegistrationState('press-1'));
  await service.deleteDeviceRegistrationState('press-2');
  const own = body(await service.getIndividualEnrollment('mixer'));
  assert.strictEqual(own.registrationState.deviceId, 'mixer');
  await service.createOrUpdateIndividualEnrollment({ ...own, provisioningStatus: 'disabled' });
}

async function stranger() {
  const text = process.env.HOLDFAST_SERVICE.replace(/SharedAccessKey=.*/, 'SharedAccessKey=c3RyYW5nZXI=');
  const other = ProvisioningServiceClient.fromConnectionString(text);
  await refused('UnauthorizedError', 401002, other.getIndividualEnrollment('mixer'));
  const reader = ProvisioningServiceClient.fromConnectionString(process.env.HOLDFAST_SERVICE_READER);
  assert.strictEqual(body(await reader.getIndividualEnrollment('mixer')).registrationId, 'mixer');
  await refused('UnauthorizedError', 401002, reader.deleteIndividualEnrollment('mixer'));
  await refused('UnauthorizedError', 401002, reader.getDeviceRegistrationState('mixer'));
}

async function main() {
  await individuals();
  await groups();
  await queries(await inBulk());
  await registrations();
  await stranger();
  return { done: 'all' };
}

run(main());
