#!/usr/bin/env bash
# No space left: what cannot be stored is an error here and is not acknowledged there; with space again all goes on.
set -euo pipefail
if [ -z "${INSIDE:-}" ]; then
	unshare -rm mount -t tmpfs tmpfs /mnt 2>/dev/null || { echo "skipped: this machine refuses user namespaces"; exit 77; }
	outside=$(mktemp -d) status=0
	TMPDIR=$outside INSIDE=1 unshare -rm bash "$0" || status=$?
	rm -rf "$outside"
	exit $status
fi
. "$(dirname "$0")/lib.bash"

mkdir small emulator
mount -t tmpfs -o size=64k,mode=0700 tmpfs small
mount -t tmpfs -o size=16k,mode=0700 tmpfs emulator
fill() { dd if=/dev/zero of="$1/filling" bs=4k 2>/dev/null || true; }
full="No space left on device"

# The emulator has no room to begin, then little.
fill emulator
expect_fail 4 "$full" holdfast-emulator --data "$data" --mqtt-port 0 --https-port 0 --amqp-port 0
rm emulator/*
expect_fail 4 "registry.*$full" holdfast-emulator --data "$data" --mqtt-port 0 --https-port 0 --amqp-port 0
mount -o remount,size=1m tmpfs emulator
start_emulator
start_tpm tpm
tpm=--tpm=$(tcti tpm)
holdfast identity --json "$tpm" >identity
field() { $python -c "import json; print(json.load(open('identity'))['$1'])"; }
new_key >meter.key
meter=(--symmetric-key meter.key --registration-id meter --state small/meter.json)
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
run holdfast enroll tpm --registration-id "$(field registration_id)" --device-id pump --endorsement-key "$(field endorsement_key)"

# A device without room for its state file.
run holdfast register "$tpm" --state small/tpm.json
run holdfast send "$tpm" --state small/tpm.json before
cp small/tpm.json old.json
fill small
expect_fail 4 "small/meter.json: $full" holdfast register "${meter[@]}"
expect_fail 4 "small/tpm.json: $full" holdfast register "$tpm" --state small/tpm.json
cmp old.json small/tpm.json || fail "the old state file has not survived"
[ "$(ls small)" = "filling
tpm.json" ] || fail "something is left behind: $(ls small)"
expect_fail 4 "standard output" sh -c 'holdfast identity "$@" >/dev/full' - "$tpm"
rm small/filling
run holdfast send "$tpm" --state small/tpm.json after
run holdfast register "${meter[@]}"
arrived pump after || fail "what was acknowledged is not there"

# A hub that runs out of room in the middle of a stream.
line=$(head -c 1500 /dev/zero | tr '\0' x)
count=1500
for ((n = 0; n < count; n++)); do echo "$n-$line"; done | timeout 100 holdfast send "${meter[@]}" >stream.out 2>stream.log &
stream=$!
await 30 grep "nothing of this moment is stored, nor acknowledged" emulator.log
holdfast-emulator --data "$data" events >/dev/null || fail "the emulator does not answer any more"
mount -o remount,size=16m tmpfs emulator
wait $stream || { cat stream.log >&2; fail "the stream ended with status $?"; }
grep -qx "acknowledged *$count" stream.out || fail "$(cat stream.out)"
stop_emulator KILL
start_emulator
bodies meter | sed -n 's/^\([0-9]*\)-x*$/\1/p' | awk '!seen[$0]++' >got
seq 0 $((count - 1)) | cmp - got || fail "of $count acknowledged lines $(wc -l <got) are there"
