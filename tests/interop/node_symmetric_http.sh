# Devices with symmetric keys, by Microsoft's SDKs for Node: their owner enrolls one, and a group, without naming keys; they
# register over HTTPS, and send.
. "$(dirname "$0")/lib.bash"
start_emulator

sdk owner put '{"registrationId":"lathe-1","deviceId":"lathe-one","attestation":{"type":"symmetricKey"}}'
key=$(sdk owner keys lathe-1 | field symmetricKey.secondaryKey)
is lathe-one "$(sdk device http symmetric lathe-1 "$key" | field deviceId)"
arrived lathe-one hub=$hub authMethod.type=sas body='{"from":"symmetric"}'
is assigned "$(sdk owner state lathe-1 | field status)"

sdk owner put-group '{"enrollmentGroupId":"lathes","attestation":{"type":"symmetricKey"}}'
group=$(sdk owner keys-group lathes | field symmetricKey.primaryKey)
key=$(printf lathe-2 | hmac "$group")
is lathes "$(sdk device http symmetric lathe-2 "$key" | field symmetricKey.enrollmentGroupId)"
arrived lathe-2 hub=$hub authMethod.type=sas body='{"from":"symmetric"}'

refused 401002 sdk device http symmetric lathe-3 "$key"
refused 401002 sdk device http symmetric lathe-3 "$group"
sdk owner delete-group lathes
refused 404201 sdk owner get-group lathes
refused 401002 sdk device http symmetric lathe-2 "$key"
