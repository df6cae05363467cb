#!/usr/bin/env bash
# The hub goes away, comes back, is killed in the middle of a stream; a second device takes the first one's place.
. "$(dirname "$0")/lib.bash"

start_emulator
new_key >meter.key
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
run holdfast register --symmetric-key meter.key --registration-id meter --state meter.json
device=(holdfast send --symmetric-key meter.key --registration-id meter --state meter.json)
hub=$(sed -n 's/.*"assignedHub":"\([^"]*\)".*/\1/p' meter.json)
says() { grep -q -e "$2" "$1"; }

# Assigned, and then there is no hub: the message waits for it.
stop_emulator KILL
timeout 60 "${device[@]}" patient >waits.out 2>waits.log &
waiting=$!
await 10 says waits.log "connect to $hub.*Connection refused"
start_emulator
wait $waiting || { cat waits.log >&2; fail "it did not wait for its hub"; }
arrived meter patient || fail "what was acknowledged is not there"

# A second device with the same id: the first connection ends, says so, and comes back.
mkfifo lines
timeout 60 "${device[@]}" <lines >first.out 2>first.log &
first=$!
exec 3>lines
echo first-1 >&3
await 10 arrived meter first-1
run "${device[@]}" second
await 10 says first.log "hub $hub closed the connection.*same id"
says emulator.log "400027" || fail "the emulator does not say why"
echo first-2 >&3
exec 3>&-
wait $first || { cat first.log >&2; fail "the first device did not come back"; }
arrived meter second && arrived meter first-2 || fail "what was acknowledged is not there"

# kill -9 of the hub during a stream: all that was acknowledged, to the last line, is in it, and in order.
count=3000
$python -c "
import sys, time
for n in range($count):
    print(f'line-{n}', flush=n % 10 == 9)
    if n % 10 == 9:
        time.sleep(0.01)" | timeout 100 "${device[@]}" >stream.out 2>stream.log &
stream=$!
for n in 200 700 1500; do
	await 30 arrived meter "line-$n"
	stop_emulator KILL
	start_emulator
done
wait $stream || { cat stream.log >&2; fail "the stream ended with status $?"; }
grep -qx "acknowledged *$count" stream.out || fail "$(cat stream.out)"
stop_emulator KILL
start_emulator
bodies meter | sed -n 's/^line-//p' | awk '!seen[$0]++' >got
seq 0 $((count - 1)) | cmp - got || fail "of $count acknowledged lines $(wc -l <got) are there"
# kill -9 of DPS while devices register: they come back to it, and get their hub.
start_tpm tpm
certificate boiler
run holdfast identity --json --tpm="$(tcti tpm)"
id=$($python -c 'import json; print(json.load(open("out"))["registration_id"])')
run holdfast enroll tpm --registration-id "$id" --endorsement-key \
	"$($python -c 'import json; print(json.load(open("out"))["endorsement_key"])')"
run holdfast enroll x509 --registration-id boiler --cert boiler.pem
for after in 0.1 0.4 0.$((RANDOM % 900 + 100)) 1.1 1.2; do
	who=()
	timeout 60 holdfast register --tpm="$(tcti tpm)" >tpm.out 2>tpm.log & who+=($!)
	timeout 60 holdfast register --transport http --cert boiler.pem --key boiler.key >boiler.out 2>boiler.log & who+=($!)
	timeout 60 holdfast register --symmetric-key meter.key --registration-id meter >meter.out 2>meter.log & who+=($!)
	sleep $after
	stop_emulator KILL
	start_emulator
	for pid in "${who[@]}"; do
		wait "$pid" || { cat tpm.log boiler.log meter.log >&2; fail "killed after $after s"; }
	done
done
say "$(bodies meter | grep -c '^line-') events for $count lines, over three kills"
