#!/usr/bin/env bash
# A device whose clock is wrong: the services refuse what it signs, and the sentence tells it to look at its clock.
. "$(dirname "$0")/lib.bash"

cc -D_GNU_SOURCE -shared -fPIC -o skew.so "$here/skew.c" -ldl
asan=$(ldd "$(command -v holdfast)" | sed -n 's/.*=> *\([^ ]*libasan[^ ]*\).*/\1/p') # it wants to be the first
at=(env LD_PRELOAD="${asan:+$asan:}$dir/skew.so") # and SKEW=SECONDS: the clock is that much ahead
hour=3600 day=86400

start_emulator
start_tpm tpm
new_key >meter.key
certificate boiler --days -20 20
tpm=--tpm=$(tcti tpm)
holdfast identity --json "$tpm" >identity
field() { $python -c "import json; print(json.load(open('identity'))['$1'])"; }
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
run holdfast enroll x509 --registration-id boiler --cert boiler.pem
run holdfast enroll tpm --registration-id "$(field registration_id)" --endorsement-key "$(field endorsement_key)"
meter=(--symmetric-key meter.key --registration-id meter)
boiler=(--cert boiler.pem --key boiler.key)

# Two hours behind: what it signs for the next hour has expired for everyone else.
for t in mqtt http amqp amqp-ws; do
	expect_fail 8 "expired .*errorCode 401002.*clock" "${at[@]}" SKEW=-$((2 * hour)) holdfast register "${meter[@]}" --transport $t
done
expect_fail 8 "expired .*errorCode 401002.*clock" "${at[@]}" SKEW=-$((2 * hour)) holdfast register "$tpm"
run "${at[@]}" SKEW=$((2 * hour)) holdfast register "${meter[@]}" --state meter.json
run holdfast register "$tpm" --state tpm.json
run holdfast register "${boiler[@]}" --state boiler.json
unset HOLDFAST_ID_SCOPE
expect_fail 8 "refused device meter (MQTT code 5).*clock right" "${at[@]}" SKEW=-$((2 * hour)) holdfast send "${meter[@]}" --state meter.json x
expect_fail 8 "MQTT code 5).*clock right" "${at[@]}" SKEW=-$((2 * hour)) holdfast send "$tpm" --state tpm.json x
for t in amqp http; do
	expect_fail 8 "\(refused device\|did not take the token of device\) meter (.*40.*clock right" "${at[@]}" SKEW=-$((2 * hour)) \
		holdfast send "${meter[@]}" --state meter.json --transport $t x
	expect_fail 8 "40.*clock right" "${at[@]}" SKEW=-$((2 * hour)) holdfast send "$tpm" --state tpm.json --transport $t x
	run "${at[@]}" SKEW=$((2 * hour)) holdfast send "${meter[@]}" --state meter.json --transport $t x
	run "${at[@]}" SKEW=-$((2 * hour)) holdfast send "${boiler[@]}" --state boiler.json --transport $t x
	# The key in the TPM signs for each of them, and no DPS is there to be asked.
	run holdfast send "$tpm" --state tpm.json --transport $t "by $t"
	bodies | grep -qx "by $t" || fail "over $t nothing came"
done
run "${at[@]}" SKEW=-$((2 * hour)) holdfast send "${boiler[@]}" --state boiler.json x # nothing that it shows has a time of its own

# Years off: it is the server's certificate that seems wrong.
expect_fail 7 "certificate of.*not yet valid.*clock" "${at[@]}" SKEW=-$((4000 * day)) holdfast send "${boiler[@]}" --state boiler.json x
expect_fail 7 "certificate of.*expired.*clock" "${at[@]}" SKEW=$((9000 * day)) holdfast send "${boiler[@]}" --state boiler.json x
run holdfast send "${meter[@]}" --state meter.json x

# The clock is set while a device is at its hub: what is sent is sent once, and nobody is asked anew who it is.
for t in mqtt amqp http; do
	for jump in -$((2 * hour)) $((2 * hour)); do
		echo 0 >skew
		(seq -f "$t$jump:%g" 5; sleep 0.7; echo "$jump" >skew.new; mv skew.new skew; sleep 0.2; seq -f "$t$jump:%g" 6 9) |
			timeout 60 "${at[@]}" SKEW_FILE="$dir/skew" holdfast send "${meter[@]}" --state meter.json --transport $t >out 2>err ||
			{ cat err >&2; fail "status $? over $t when the clock is set by $jump s"; }
		check_sane
		grep -qx 'acknowledged *9' out || fail "$(cat out)"
		[ "$(bodies meter | grep -c "^$t$jump:")" = 9 ] || fail "over $t: $(bodies meter | grep "^$t$jump:")"
	done
done
