# A device with a TPM, by Microsoft's SDK for Node: it makes the same identity as holdfast, answers DPS's challenge over
# HTTPS, and signs for the hub with the key that only this TPM could open.
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
sdk device http tpm >"$work/answer"
is "$id" "$(field registrationId <"$work/answer")"
is robot-1 "$(field deviceId <"$work/answer")"
arrived robot-1 hub=$hub authMethod.scope=device authMethod.type=sas body='{"from":"tpm"}'

kill "$bridge"
start_tpm other
bridge other
refused "did NOT respond with an appropriately formatted authentication blob" sdk device http tpm "$id"
grep -q "$id: register refused with 401 (errorCode 401002, .*endorsement key" "$work/emulator.log" ||
	fail "the emulator's log does not say why the other TPM was refused"
