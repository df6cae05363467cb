# A device with a TPM, by Microsoft's SDK for Node: it answers DPS's challenge within SASL, over AMQP and in a
# WebSocket, and signs for the hub with the key that only this TPM could open.
. "$(dirname "$0")/lib.bash"
start_emulator

start_tpm() {
	mkdir "$work/$1"
	swtpm socket --tpm2 --tpmstate "dir=$work/$1" --server "type=unixio,path=$work/$1/tpm" \
		--ctrl "type=unixio,path=$work/$1/tpm.ctrl" --flags not-need-init,startup-clear 2>/dev/null &
	helpers+=($!)
	await 10 test -S "$work/$1/tpm"
}

# Its clients find one simulator, at one port; so there is one at a time.
bridge() {
	/usr/bin/python3 "$here/mssim_bridge.py" "$work/$1/tpm" &
	bridge=$!
	helpers+=($bridge)
	await 10 bash -c 'echo >/dev/tcp/127.0.0.1/2321'
}

start_tpm mine
"$HOLDFAST_BIN/holdfast" identity --tpm="swtpm:path=$work/mine/tpm" --ek-template sdk --json >"$work/identity"
id=$(field registration_id <"$work/identity")
enroll tpm --registration-id "$id" --device-id robot-1 --endorsement-key "$(field endorsement_key <"$work/identity")"
is tpm "$(sdk owner get "$id" | field attestation.type)"

bridge mine
for transport in amqp amqp-ws; do
	sdk device $transport tpm >"$work/answer"
	is "$id" "$(field registrationId <"$work/answer")"
	is robot-1 "$(field deviceId <"$work/answer")"
done
is 2 "$(told events --device robot-1 | grep -c '"authMethod":{"scope":"device","type":"sas"')"

kill "$bridge"
start_tpm other
bridge other
timeout 60 node --no-deprecation "$here/device.js" amqp tpm "$id" >"$work/refused" 2>&1 & # it waits a minute before it gives up
helpers+=($!)
await 20 grep -q "$id: register refused with 401 (errorCode 401002, .*endorsement key" "$work/emulator.log"
