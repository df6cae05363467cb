#!/usr/bin/env bash
# The owner's day: sees, changes and deletes what is enrolled, is told of conflicts, hands a smaller key to somebody else, moves
# devices between hubs by policy and by webhook.
. "$(dirname "$0")/lib.bash"

# value PATH: of the JSON object that the last command printed
value() { $python -c 'import functools, json, sys
print(functools.reduce(lambda at, step: at[step], sys.argv[1].split("."), json.load(open("out"))))' "$1"; }

same() { [ "$1" = "$2" ] || fail "\"$2\" where \"$1\" was expected"; }

# device ID PATH: of the hubs' devices
device() {
	holdfast-emulator --data "$data" devices --json | grep "\"deviceId\":\"$1\"" >out || fail "there is no device $1"
	value "$2"
}

# start_webhook [CERTIFICATE KEY]: at $hook_port; its questions are in webhook.out
start_webhook() {
	rm -f webhook.out
	$python "$here/webhook.py" "$@" >webhook.out 2>webhook.err &
	webhook=$!
	await 10 grep -q . webhook.out
	hook_port=$(head -n 1 webhook.out)
}

# by_webhook URL: what decides on the devices of boiler
by_webhook() {
	run holdfast enroll update boiler '{"allocationPolicy":"custom","customAllocationDefinition":{"webhookUrl":"'"$1"'",
		"apiVersion":"2021-10-01"}}'
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=webhook \
	-addext subjectAltName=IP:127.0.0.1 -keyout hook.key -out hook.pem 2>openssl.out
new_key >boiler.key
start_emulator --hub 127.0.0.2 --hub 127.0.0.3 --nearest 127.0.0.3 --policy clerk=EnrollmentRead --webhook-trust hook.pem
boiler=(--symmetric-key boiler.key --registration-id boiler)

# What is enrolled, more than a page of it.
run holdfast enroll symmetric --registration-id boiler --symmetric-key boiler.key
run holdfast enroll group-symmetric --registration-id line
many='{"mode":"create","enrollments":['
for i in $(seq 101 110); do many+='{"registrationId":"'$i-@'","attestation":{"type":"symmetricKey"}},'; done
for i in $(seq 10 20); do
	owner POST /enrollments "$(sed "s/@/$i/g; s/,\$/]}/" <<<"$many")" | tail -n 1 | grep -qx 200 || fail "bulk $i"
done
run holdfast enroll list
same 111 "$(wc -l <out)"
same 111 "$(cut -d' ' -f1 out | sort -u | wc -l)"
run holdfast enroll list --group --json
same line "$(value enrollmentGroupId)"
run holdfast enroll show boiler
grep -q '^status  *enabled$' out || fail "$(cat out)"
run holdfast enroll show line --group --keys
[ "$(value attestation.symmetricKey.primaryKey | wc -c)" = 89 ] || fail "no key of 64 bytes"

# A conflict is explained, and nothing is lost.
run holdfast enroll show boiler --json
etag=$(value etag)
run holdfast enroll update boiler '{"optionalDeviceInformation":{"floor":2}}'
expect_fail 9 'somebody has changed it since' holdfast enroll update boiler '{"deviceId":"x"}' --etag "$etag"
expect_fail 9 'errorCode 412' holdfast enroll delete boiler --etag "$etag"
expect_fail 2 'not a JSON object' holdfast enroll update boiler 'floor=3'
expect_fail 2 'which enrollment' holdfast enroll delete
expect_fail 9 'errorCode 404201' holdfast enroll show nobody
run holdfast enroll update boiler - <<<'{"optionalDeviceInformation":{"wing":"B"}}'
run holdfast enroll show boiler --json
same "{'floor': 2, 'wing': 'B'}" "$(value optionalDeviceInformation)"

# A smaller key.
clerk=$HOLDFAST_SERVICE_CLERK
run env HOLDFAST_SERVICE="$clerk" holdfast enroll show boiler
expect_fail 8 "the policy 'clerk' has not the right EnrollmentWrite" env HOLDFAST_SERVICE="$clerk" holdfast enroll delete boiler

# The nearest hub, then another one with the data, then the same one without.
run holdfast enroll update boiler '{"allocationPolicy":"geoLatency","initialTwin":{"tags":{"new":1}},"capabilities":{"iotEdge":true}}'
run holdfast register "${boiler[@]}" --json
same 127.0.0.3 "$(value assigned_hub)"
same "{'new': 1}" "$(device boiler twin.tags)"
same True "$(device boiler capabilities.iotEdge)"
run holdfast enroll update boiler '{"allocationPolicy":"static","iotHubs":["127.0.0.2"],"initialTwin":{"tags":{"new":2}}}'
run holdfast register "${boiler[@]}" --json
same deviceDataMigrated "$(value substatus)"
same "{'new': 1}" "$(device boiler twin.tags)"
same 127.0.0.2 "$(device boiler hub)"
run holdfast enroll update boiler '{"reprovisionPolicy":{"migrateDeviceData":false}}'
run holdfast register "${boiler[@]}" --json
same "{'new': 2}" "$(device boiler twin.tags)"

# A webhook that takes its time: the emulator neither waits for it nor turns in circles.
start_webhook
by_webhook "http://localhost:$hook_port/127.0.0.2?2"
before=$(awk '{ print $14 + $15 }' "/proc/$emulator/stat")
holdfast register "${boiler[@]}" --payload '{"valves":[1,2.5]}' --json >registered 2>registered.log &
registering=$!
await 10 grep -q deviceRuntimeContext webhook.out
run holdfast enroll show boiler
kill -0 $registering || fail "it did not wait for the webhook"
wait $registering || fail "$(cat registered.log)"
after=$(awk '{ print $14 + $15 }' "/proc/$emulator/stat")
[ $((after - before)) -lt 100 ] || fail "the emulator worked for $((after - before)) ticks while it waited"
cp registered out
same "{'for': 'boiler', 'heard': {'valves': [1, 2.5]}}" "$(value payload)"
same "{'hooked': True}" "$(device boiler twin.tags)"
tail -n 1 webhook.out >out
same 127.0.0.2 "$(value deviceRuntimeContext.currentIotHubHostName)"
same "['127.0.0.2']" "$(value linkedHubs)"
by_webhook "http://127.0.0.1:$hook_port/418"
expect_fail 9 'failed with status code: 418' holdfast register "${boiler[@]}"
grep -q 'errorCode 400207' err || fail "$(cat err)"
by_webhook "http://127.0.0.1:$hook_port/127.0.0.3"
expect_fail 9 'not one of the linked hubs' holdfast register "${boiler[@]}"
kill $webhook
wait $webhook 2>/dev/null || true
expect_fail 9 'errorCode 400207' holdfast register "${boiler[@]}"

# Over TLS, to who is trusted alone.
start_webhook hook.pem hook.key
by_webhook "https://127.0.0.1:$hook_port/last"
run holdfast register "${boiler[@]}"
by_webhook "https://localhost:$hook_port/last"
expect_fail 9 'errorCode 400207' holdfast register "${boiler[@]}"

run holdfast enroll delete boiler
expect_fail 8 'not enrolled' holdfast register "${boiler[@]}"
stop_emulator
say "an owner's day"
