#!/usr/bin/env bash
# Every identity over every transport: to DPS, and then to its hub. What the service refuses is refused; of several transports each has its turn.
. "$(dirname "$0")/lib.bash"

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
	timeout 60 "${@:2}" >"$1.out" 2>"$1.log" || { echo "$1: status $?: $(tail -n 1 "$1.log")" >>broken; return 1; }
}

# onboard KIND DPS-TRANSPORT: registers by it, and sends a message by each of the hub's
onboard() {
	local t name=$1-$2
	as "$1" "$name"
	cell "dps-$name" holdfast register "${device[@]}" --transport "$2" --state "$name.json" || return 0
	for t in mqtt mqtt-ws; do
		cell "hub-$name-$t" holdfast send "${device[@]}" --hub-transport $t --state "$name.json" "by $t" || true
	done
}

for t in mqtt mqtt-ws amqp amqp-ws http; do
	certificate "x509-$t" --ca root
	cat "x509-$t.pem" root.pem >"x509-$t.chain"
done
for t in mqtt mqtt-ws amqp amqp-ws http; do
	onboard symmetric $t & other=$!
	onboard x509 $t
	wait $other
done
for t in http amqp amqp-ws; do
	onboard tpm $t
done
for t in mqtt mqtt-ws; do
	expect_fail 13 "no TPM over MQTT" holdfast register --tpm="$(tcti gate)" --registration-id gate --transport $t
done
[ ! -e broken ] || fail "$(cat broken)"
for device in {symmetric,x509}-{mqtt,mqtt-ws,amqp,amqp-ws,http}; do
	[ "$(bodies $device)" = $'by mqtt\nby mqtt-ws' ] || fail "$device: $(bodies $device)"
done
[ "$(bodies gate | sort | uniq -c | tr -s ' ')" = $' 3 by mqtt\n 3 by mqtt-ws' ] || fail "gate: $(bodies gate)"

# All that MQTT can say behind CONNECT, said without waiting.
as symmetric symmetric-mqtt
run holdfast register "${device[@]}" --early
for t in amqp amqp-ws; do
	run holdfast register "${device[@]}" --early --transport $t
done
run holdfast send "${device[@]}" --state symmetric-mqtt.json --early --count 50 early
[ "$(bodies symmetric-mqtt | grep -c early)" = 50 ] || fail "early: $(bodies symmetric-mqtt)"

# Transports that are tried in turn: where one is closed, the next one does, and what failed is said.
nobody=$($python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
HOLDFAST_CONNECT=$(sed -E "s/(:8883=[^,]*):[0-9]+/\1:$nobody/g" <<<"$HOLDFAST_CONNECT")
run holdfast register "${device[@]}" --transport mqtt,mqtt-ws
grep -q "mqtt: .*; trying mqtt-ws" err || fail "$(cat err)"
run holdfast register "${device[@]}" --transport mqtt,http
grep -q "trying http" err || fail "$(cat err)"
run holdfast send "${device[@]}" --state symmetric-mqtt.json --hub-transport mqtt,mqtt-ws two
grep -q "trying mqtt-ws" err || fail "$(cat err)"
[ "$(bodies symmetric-mqtt | tail -n 1)" = two ] || fail "$(bodies symmetric-mqtt)"
expect_fail 2 'transport "smoke" is not known' holdfast register "${device[@]}" --transport mqtt,smoke
expect_fail 2 "named twice" holdfast register "${device[@]}" --transport mqtt,http,mqtt
expect_fail 13 "reached by mqtt or mqtt-ws" holdfast send "${device[@]}" --hub-transport http x
expect_fail 2 "proxy" holdfast register "${device[@]}" --proxy smoke:/x
expect_fail 4 "no-such-file" holdfast register "${device[@]}" --proxy-auth-file no-such-file
stop_emulator
expect_fail 11 "mqtt: .*; amqp-ws: .*; http: " holdfast register "${device[@]}" --transport mqtt,amqp-ws,http --timeout 3
