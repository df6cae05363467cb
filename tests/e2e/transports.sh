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

all=(mqtt mqtt-ws amqp amqp-ws http)

# hub NAME TRANSPORT: a message up, and two down: one is completed; the other abandoned, comes again and is rejected (MQTT knows neither)
hub() {
	local name=$1 t=$2 id=$1
	case $name in tpm-*) id=gate ;; esac
	cell "hub-$name-$t" holdfast send "${device[@]}" --hub-transport "$t" --state "$name.json" --property "way=$t" "by $t" || return 0
	cell "put-$name-$t" holdfast-emulator --data "$data" c2d "$id" "down $t" --property way="$t" --message-id "1-$t" || return 0
	cell "get-$name-$t" holdfast receive "${device[@]}" --hub-transport "$t" --state "$name.json" --count 1 --json --timeout 20 || return 0
	grep -q "\"body\":\"down $t\".*\"message_id\":\"1-$t\".*\"way\":\"$t\"" "get-$name-$t.out" ||
		echo "get-$name-$t: $(cat "get-$name-$t.out")" >>broken
	case $t in mqtt*) return 0 ;; esac
	cell "put-$name-$t" holdfast-emulator --data "$data" c2d "$id" again || return 0
	cell "abandon-$name-$t" holdfast receive "${device[@]}" --hub-transport "$t" --state "$name.json" --count 1 --answer abandon --timeout 20 || return 0
	cell "reject-$name-$t" holdfast receive "${device[@]}" --hub-transport "$t" --state "$name.json" --count 1 --answer reject --json --timeout 20 || return 0
	grep -q '"deliveries":1' "reject-$name-$t.out" || echo "reject-$name-$t: $(cat "reject-$name-$t.out")" >>broken
}

# onboard KIND DPS-TRANSPORT: registers by it, then talks to its hub by each
onboard() {
	local t name=$1-$2
	as "$1" "$name"
	cell "dps-$name" holdfast register "${device[@]}" --transport "$2" --state "$name.json" || return 0
	for t in "${all[@]}"; do
		hub "$name" "$t"
	done
}

for t in "${all[@]}"; do
	certificate "x509-$t" --ca root
	cat "x509-$t.pem" root.pem >"x509-$t.chain"
done
for t in "${all[@]}"; do
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
for name in $(printf '%s\n' {symmetric,x509}-{mqtt,mqtt-ws,amqp,amqp-ws,http}); do
	[ "$(bodies "$name")" = "$(printf 'by %s\n' "${all[@]}")" ] || fail "$name: $(bodies "$name")"
done
[ "$(bodies gate)" = "$(printf 'by %s\n' "${all[@]}" "${all[@]}" "${all[@]}")" ] || fail "gate: $(bodies gate)"

# What MQTT cannot say is said; what HTTPS cannot carry too, and costs nothing that it can.
as symmetric symmetric-http
run holdfast-emulator --data "$data" c2d symmetric-http "for nobody"
expect_fail 13 "can only be completed" holdfast receive "${device[@]}" --state symmetric-http.json --hub-transport mqtt --answer reject --count 1
run holdfast send "${device[@]}" --state symmetric-http.json --hub-transport http --property 'ü=ü' umlaut
events --device symmetric-http | tail -n 1 | grep -q '"properties":{"ü":"ü"}' || fail "$(events --device symmetric-http | tail -n 1)"
run holdfast send "${device[@]}" --state symmetric-http.json --hub-transport http --count 2000 many
[ "$(bodies symmetric-http | grep -c many)" = 2000 ] || fail "$(bodies symmetric-http | grep -c many) of 2000 arrived"
for i in $(seq 49); do
	run holdfast-emulator --data "$data" c2d symmetric-http "$i"
done
expect_fail 9 "50 messages wait" holdfast-emulator --data "$data" c2d symmetric-http 50
expect_fail 9 "no device" holdfast-emulator --data "$data" c2d stranger --hub 127.0.0.3 x
expect_fail 9 "no hub has a device" holdfast-emulator --data "$data" c2d stranger x
expect_fail 2 "larger than" holdfast-emulator --data "$data" c2d symmetric-http - < <(head -c 70000 /dev/zero)
run holdfast receive "${device[@]}" --state symmetric-http.json --hub-transport http --count 25
[ "$(sed -n '1p;25p' out)" = $'for nobody\n24' ] || fail "$(cat out)"
run holdfast receive "${device[@]}" --state symmetric-http.json --count 25
[ "$(sed -n '1p;25p' out)" = $'25\n49' ] || fail "$(cat out)"

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
expect_fail 2 "proxy" holdfast register "${device[@]}" --proxy smoke:/x
expect_fail 4 "no-such-file" holdfast register "${device[@]}" --proxy-auth-file no-such-file
stop_emulator
expect_fail 11 "mqtt: .*; amqp-ws: .*; http: " holdfast register "${device[@]}" --transport mqtt,amqp-ws,http --timeout 3
