#!/usr/bin/env bash
# Every identity over every transport: to DPS, and then to its hub, telemetry up and a message down. What the service refuses is refused.
. "$(dirname "$0")/lib.bash"

transports=(mqtt mqtt-ws amqp amqp-ws http)
start_emulator
certificate root --authority
run holdfast enroll group-x509 --registration-id boilers --cert root.pem
new_key >meters.key
run holdfast enroll group-symmetric --registration-id meters --symmetric-key meters.key
start_tpm gate
run holdfast enroll tpm --registration-id gate \
	--endorsement-key "$(holdfast identity --tpm="$(tcti gate)" | sed -n 's/^endorsement key *//p')"

# as KIND NAME: the options of this identity, in `device`
as() {
	case $1 in
	symmetric) device=(--group-key meters.key --registration-id "$2") ;;
	x509) device=(--cert "$2.chain" --key "$2.key") ;;
	tpm) device=(--tpm="$(tcti gate)" --registration-id gate) ;;
	esac
}

# cell NAME COMMAND...: has to work; says why not
cell() {
	local name=$1
	shift
	timeout 60 "$@" >"$name.out" 2>"$name.log" || { echo "$name: status $?: $(tail -n 1 "$name.log")" >>broken; return 1; }
}

# dps KIND TRANSPORT: registers by it, and sends the first message by it too
dps() {
	local kind=$1 t=$2 name=$1-$2
	as "$kind" "$name"
	cell "dps-$name" holdfast register "${device[@]}" --transport "$t" --state "$name.json" &&
		cell "hub-$name" holdfast send "${device[@]}" --hub-transport "$t" --state "$name.json" "first of $name"
}

# down NAME ANSWER OPTIONS...: a message for this device is received by these
down() {
	local id=$1 body="for $1" answer=$2
	shift 2
	run holdfast-emulator --data "$data" c2d "$id" --property "colour=deep blue" "$body"
	cell "c2d-$id-$answer" holdfast receive "$@" --json --count 1 --answer "$answer" --timeout 20 || return 0
	grep -q "\"body\":\"$body\".*\"colour\":\"deep blue\"" "c2d-$id-$answer.out" ||
		echo "c2d-$id: $(cat "c2d-$id-$answer.out")" >>broken
}

for t in "${transports[@]}"; do
	certificate "x509-$t" --ca root
	cat "x509-$t.pem" root.pem >"x509-$t.chain"
done
waits=()
for t in "${transports[@]}"; do
	for kind in symmetric x509; do
		dps "$kind" "$t" & waits+=($!)
	done
done
for t in amqp amqp-ws http; do # one TPM, one after the other
	dps tpm "$t" || true
done
wait "${waits[@]}" || true
for t in mqtt mqtt-ws; do
	expect_fail 13 "no TPM over MQTT" holdfast register --tpm="$(tcti gate)" --registration-id gate --transport $t
	as tpm tpm-http
	cell "hub-tpm-$t" holdfast send "${device[@]}" --hub-transport $t --state tpm-http.json "first of tpm-$t" || true
done
[ ! -e broken ] || fail "$(cat broken)"
for t in "${transports[@]}"; do
	for kind in symmetric x509; do
		[ "$(bodies "$kind-$t")" = "first of $kind-$t" ] || fail "$kind-$t: $(bodies "$kind-$t")"
	done
	bodies gate | grep -qx "first of tpm-$t" || fail "tpm-$t: $(bodies gate)"
done
say "registered and sent: $(events | wc -l)"

for t in "${transports[@]}"; do
	as symmetric "symmetric-$t"
	down "symmetric-$t" complete "${device[@]}" --hub-transport "$t" --state "symmetric-$t.json"
	as x509 "x509-$t"
	down "x509-$t" complete "${device[@]}" --hub-transport "$t" --state "x509-$t.json"
	as tpm tpm-http
	down gate complete "${device[@]}" --hub-transport "$t" --state tpm-http.json
	mv c2d-gate-complete.out "c2d-gate-$t.out"
done
for t in amqp http; do # twice abandoned: it comes again; then rejected: it does not
	as symmetric "symmetric-$t"
	device+=(--hub-transport "$t" --state "symmetric-$t.json")
	down "symmetric-$t" abandon "${device[@]}"
	cell again holdfast receive "${device[@]}" --json --count 1 --answer reject --timeout 20 || true
	grep -q '"deliveries":1' again.out || echo "$t: $(cat again.out)" >>broken
	expect_fail 11 "0 of 1 messages" holdfast receive "${device[@]}" --count 1 --timeout 2
done
as symmetric symmetric-mqtt
run holdfast-emulator --data "$data" c2d symmetric-mqtt again
expect_fail 13 "over MQTT a message can be completed" \
	holdfast receive "${device[@]}" --state symmetric-mqtt.json --count 1 --answer reject --timeout 20
[ ! -e broken ] || fail "$(cat broken)"

# Transports that are tried in turn: where one is closed, the next one does, and what failed is said.
as symmetric symmetric-mqtt
nobody=$(free_port)
blocked="$HOLDFAST_CONNECT"
blocked=${blocked//:5671=127.0.0.1:*([0-9])/:5671=127.0.0.1:$nobody}
export HOLDFAST_CONNECT=$blocked
run holdfast register "${device[@]}" --transport amqp,amqp-ws
grep -q "trying amqp-ws" err || fail "$(cat err)"
run holdfast send "${device[@]}" --state symmetric-mqtt.json --hub-transport amqp,http,mqtt two
grep -q "trying http" err || fail "$(cat err)"
expect_fail 2 'transport "smoke" is not known' holdfast register "${device[@]}" --transport mqtt,smoke
expect_fail 2 "named twice" holdfast register "${device[@]}" --transport mqtt,http,mqtt
stop_emulator
expect_fail 11 "amqp: .*; amqp-ws: " holdfast register "${device[@]}" --transport amqp,amqp-ws --timeout 3
