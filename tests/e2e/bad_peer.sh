#!/usr/bin/env bash
# Servers that are not there, are not who they should be, or break the protocol's rules: a sentence and an exit code within
# the time allowed, whatever they do.
. "$(dirname "$0")/lib.bash"

start_emulator # for its certificates
$python "$here/peer.py" "$data/server.pem" "$data/server-key.pem" ports 2>peer.err &
await 10 test -s ports
new_key >meter.key
unset HOLDFAST_CONNECT HOLDFAST_ENDPOINT
port() { sed -n "s/^$1 //p" ports; }

# case CODE WORDS NAME COMMAND...: they run side by side; most of their time is waiting
jobs=()
try() {
	local code=$1 words=$2 name=$3
	shift 3
	(
		mkdir "$name.d"
		got=0
		timeout 30 "$@" --symmetric-key meter.key --registration-id meter --json >"$name.d/out" 2>"$name.log" || got=$?
		[ $got = "$code" ] || { echo "$name: status $got, not $code"; cat "$name.log"; exit 1; } >&2
		tail -n 1 "$name.log" | grep -q -e "$words" || { echo "$name: it does not say \"$words\""; cat "$name.log"; exit 1; } >&2
		grep -q '^{"error":{"code":-'"$code," "$name.d/out" || { echo "$name: no error in its JSON"; exit 1; } >&2
		printf '%-20s %2s  %.150s\n' "$name" $got "$(tail -n 1 "$name.log" | sed 's/^holdfast [a-z]*: //')"
	) &
	jobs+=($!)
	[ $((${#jobs[@]} % 6)) != 0 ] || join
}
join() {
	local j
	for j in "${jobs[@]}"; do wait "$j" || failed=1; done
	jobs=()
}
failed=0

over() { # over TRANSPORT CODE WORDS NAME: registers with the peer of this name
	try "$2" "$3" "$4" holdfast register --transport "$1" --endpoint "127.0.0.1:$(port "$4")" --timeout "${5:-3}"
}
mqtt() { over mqtt "$@"; }
http() { over http "$@"; }
amqp() { over amqp "$@"; }
hub_by() { # hub_by TRANSPORT CODE WORDS NAME
	try "$2" "$3" "$4" holdfast send --transport "$1" --hub "127.0.0.1:$(port "$4")" --device-id meter --timeout 3 hello
}
hub() { try "$1" "$2" "$3" holdfast send --hub "127.0.0.1:$(port "$3")" --device-id meter --timeout 3 hello; }

free=$($python -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
register=(holdfast register --timeout 2)
try 11 "look up nowhere.invalid" unknown-endpoint "${register[@]}" --endpoint nowhere.invalid
try 11 "Connection refused.*is the service running" refused-port "${register[@]}" --endpoint "127.0.0.1:$free"
try 7 "made out to another name" another-name "${register[@]}" --endpoint "elsewhere:$(port silent)" \
	--connect "elsewhere:$(port silent)=127.0.0.1:$(port silent)"
certificate stranger --authority
try 7 "not trusted.*--trust" another-ca "${register[@]}" --endpoint "127.0.0.1:$(port silent)" --trust stranger.pem
try 4 "nowhere.pem: No such file" no-ca "${register[@]}" --endpoint "127.0.0.1:$(port silent)" --trust nowhere.pem
mqtt 7 "does not speak TLS" plain-http
http 7 "does not speak TLS" plain-ssh
mqtt 11 "3 s" plain-silent
mqtt 11 "3 s; the last try" plain-closed
mqtt 11 "3 s" silent
http 11 "3 s; the last try" closed
mqtt 10 "most allowed" mqtt-too-large
mqtt 10 "length" mqtt-bad-length
mqtt 10 "" mqtt-bad-type
mqtt 11 "the last try" mqtt-truncated
mqtt 10 "" mqtt-connack-short
mqtt 10 "" mqtt-client-speaks
mqtt 11 "the last try.*code 3" mqtt-not-now
mqtt 10 "not JSON" dps-not-json
mqtt 10 "" dps-no-object
mqtt 10 "without a hub" dps-no-hub
mqtt 10 "" dps-bad-status
mqtt 10 "topic that it does not have" dps-strange-topic
mqtt 10 "" dps-not-granted
mqtt 10 "most allowed" dps-too-large
mqtt 11 "3 s" dps-truncated
mqtt 10 "" dps-nul
mqtt 10 "JSON" dps-deep
hub 11 "not known to be stored; the last try: hub 127.0.0.1: .*most allowed" hub-too-large
hub 11 "not known to be stored" hub-truncated
hub 11 "not MQTT" hub-garbage
hub 11 "acknowledged nothing for 3 s" hub-strange-ack
lost="not known to be stored; the last try: "
hub 11 "not known to be stored" hub-no-connack
hub 11 "${lost}.*\(closed the connection\|reset by peer\)" hub-ends
hub 11 "${lost}.*closed the connection" hub-half-closed
over mqtt-ws 11 "3 s" ws-silent
over amqp-ws 11 "the last try: .*opened no WebSocket: HTTP 403" ws-forbids
hub_by amqp-ws 11 "${lost}.*503" ws-fails
amqp 11 "no answer after 3 s" amqp-no-header
amqp 11 "no answer after 3 s" amqp-no-mechanisms
amqp 11 "no answer after 3 s" amqp-no-outcome
amqp 11 "no answer after 3 s" amqp-no-second-header
amqp 11 "no answer after 3 s" amqp-no-open
amqp 11 "no answer after 3 s" amqp-no-attach
amqp 8 "" amqp-not-in
amqp 10 "" amqp-large-frame
amqp 10 "" amqp-unknown
amqp 10 "" amqp-not-amqp
hub_by amqp 11 "not known to be stored" hub-amqp-no-header
hub_by amqp 11 "not known to be stored" hub-amqp-no-open
hub_by amqp 11 "not known to be stored" hub-amqp-no-attach
hub_by amqp 11 "${lost}" hub-amqp-large-frame
hub_by amqp 11 "${lost}.*nothing that AMQP knows" hub-amqp-unknown
hub_by amqp 11 "${lost}.*not AMQP 1.0's header" hub-amqp-wants-sasl
hub_by amqp 11 "${lost}.*\(closed the connection\|reset by peer\)" hub-amqp-ends
hub_by http 11 "not known to be stored" hub-http-silent
hub_by http 11 "${lost}.*\(closed the connection\|reset by peer\)" hub-http-ends
hub_by http 11 "${lost}.*reset by peer" hub-http-resets
hub_by http 11 "${lost}.*cannot answer now (status 429)" hub-http-429
hub_by http 11 "${lost}.*cannot answer now (status 503)" hub-http-503
(unset HOLDFAST_ID_SCOPE; hub_by http 8 "refused device meter (status 401" hub-http-401; join; exit $failed) || failed=1
hub_by http 11 "${lost}" hub-http-endless
http 10 "" http-not-http
http 10 "not JSON" http-not-json
http 8 "status 401" http-not-json-401
http 10 "" http-no-object
http 10 "without a hub" http-no-hub
http 10 "without an operation id" http-no-operation
http 11 "3 s; the last try" http-truncated
http 10 "too large" http-too-large
http 10 "" http-two-lengths
http 10 "" http-bad-chunk
http 10 "" http-endless
http 11 "the last try.*errorCode 500001, tracking id t-500" http-500
http 11 "errorCode 429001" http-429
join

# A hub, or a gateway before it, that ends the line behind each answer, and says so or does not: all is sent all the same.
for name in hub-http-one-each hub-http-three-each; do
	seq 1 40 | timeout 60 holdfast send --transport http --hub "127.0.0.1:$(port $name)" --device-id meter --timeout 20 \
		--symmetric-key meter.key --registration-id meter >$name.out 2>$name.log ||
		{ cat $name.log >&2; fail "$name: not all was sent"; }
	grep -qx 'acknowledged *40' $name.out || fail "$name: $(cat $name.out)"
done
[ ! -s hub-http-one-each.log ] || fail "an answer that was the last is no failure: $(cat hub-http-one-each.log)"
[ $failed = 0 ]
