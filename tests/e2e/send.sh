#!/usr/bin/env bash
# `holdfast send` and time: idle input is no failure, silence of the hub is.
. "$(dirname "$0")/lib.bash"

start_emulator
new_key >meter.key
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
run holdfast register --symmetric-key meter.key --registration-id meter --state meter.json
device=(--symmetric-key meter.key --registration-id meter --state meter.json)

# Longer without a line than the hub may take to acknowledge one.
(echo one; sleep 3; echo two; sleep 3) | timeout 30 holdfast send "${device[@]}" --timeout 2 >out 2>err ||
	{ cat err >&2; fail "a pause in the input is taken for the hub's"; }
grep -qx 'acknowledged *2' out || fail "$(cat out)"
[ "$(bodies)" = "one
two" ] || fail "$(bodies)"

hub=$(sed -n 's/.*"assignedHub":"\([^"]*\)".*/\1/p' meter.json)
stop_emulator
expect_fail 11 "1 of 1 messages are not known to be stored; the last try: connect to $hub port" \
	holdfast send "${device[@]}" --timeout 2 three
expect_fail 2 "timeout" holdfast send "${device[@]}" --timeout 0 three
