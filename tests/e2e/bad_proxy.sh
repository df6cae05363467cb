#!/usr/bin/env bash
# Proxies that open no way, or no good one, to DPS and to a hub, for each transport: who said no is told apart, no password is
# in a log, and what waits is sent by a proxy that does better.
. "$(dirname "$0")/lib.bash"

start_emulator
new_key >meter.key
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
device=(--symmetric-key meter.key --registration-id meter)
run holdfast register "${device[@]}" --state meter.json
hub=$(sed -n 's/.*"assignedHub":"\([^"]*\)".*/\1/p' meter.json)
secret=open-sesame-7
echo "name:$secret" >auth
chmod 600 auth
$python "$here/bad_proxy.py" ports seen 2>proxy.err &
await 10 test -s ports
port() { sed -n "s/^$1 //p" ports; }
unset HOLDFAST_CONNECT HOLDFAST_ENDPOINT # a proxy is asked by name; here, it is asked for this machine
port_of() { case $1 in mqtt) echo $mqtt_port ;; amqp) echo $amqp_port ;; *) echo $https_port ;; esac; }

# to dps|hub TRANSPORT PROXY [OPTIONS...]: in the background; its status, its words
jobs=()
to() {
	local whom=$1 by=$2 proxy=$3 name=$1.$2.$3
	shift 3
	local at=127.0.0.1:$(port_of "$by") command=(holdfast send --device-id meter --hub) word=(hello)
	[ "$whom" = hub ] || command=(holdfast register --endpoint) word=()
	(
		got=0
		timeout 30 "${command[@]}" "$at" "${device[@]}" --transport "$by" --proxy "http://127.0.0.1:$(port "$proxy")" --timeout 2 \
			"$@" ${word[@]+"${word[@]}"} >"$name.out" 2>"$name.log" || got=$?
		echo $got >"$name.status"
	) &
	jobs+=($!)
	[ $((${#jobs[@]} % 8)) != 0 ] || join
}
join() {
	[ ${#jobs[@]} = 0 ] || wait "${jobs[@]}"
	jobs=()
}

# expect CODE WORDS NAME: of what was run
failed=0
expect() {
	local got
	got=$(cat "$3.status")
	if [ "$got" != "$1" ] || ! tail -n 1 "$3.log" | grep -q -e "$2"; then
		echo "$3: status $got, not $1, or it does not say \"$2\":" >&2
		cat "$3.log" >&2
		failed=1
	fi
}

to dps mqtt hangs-long --transport mqtt,amqp --timeout 11 # the first of them is given up after ten seconds
transports=(mqtt mqtt-ws amqp amqp-ws http)
for by in "${transports[@]}"; do
	for proxy in wants forbids hangs cuts cuts-tls; do
		to dps "$by" "$proxy"
		to hub "$by" "$proxy"
	done
	to dps "$by" rejects --proxy-auth-file auth
	to hub "$by" rejects --proxy-auth-file auth
done
for proxy in negotiates fails closes resets babbles no-tls stalls; do
	to dps amqp "$proxy"
	to hub http "$proxy"
done
join

over="the last try: "
for by in "${transports[@]}"; do
	for whom in dps hub; do
		expect 2 "the proxy 127.0.0.1:$(port wants) wants a name and a password (HTTP 407)" $whom.$by.wants
		expect 2 "the proxy .* does not take the name and the password that it was given (HTTP 407)" $whom.$by.rejects
		expect 11 "${over}the proxy 127.0.0.1:$(port forbids) opened no way to 127.0.0.1:$(port_of $by): HTTP 403 Forbidden; ask" \
			$whom.$by.forbids
		expect 11 "2 s" $whom.$by.hangs
		expect 11 "${over}the proxy 127.0.0.1:$(port cuts): .* in the middle of" $whom.$by.cuts
		expect 11 "${over}127.0.0.1 closed the connection during the TLS handshake" $whom.$by.cuts-tls
	done
done
expect 2 "does not want a name and a password" dps.amqp.negotiates
expect 2 "does not want a name and a password" hub.http.negotiates
expect 7 "does not speak TLS" dps.amqp.no-tls
expect 7 "does not speak TLS" hub.http.no-tls
expect 10 "the proxy .* not HTTP/1.1 at all" dps.amqp.babbles
expect 11 "${over}the proxy .* not HTTP/1.1 at all" hub.http.babbles
for it in dps.amqp hub.http; do
	expect 11 "${over}the proxy .* HTTP 502 Bad Gateway; can it reach that host" $it.fails
	expect 11 "${over}the proxy .* closed the connection before it answered" $it.closes
	expect 11 "${over}the proxy .* reset by peer" $it.resets
	expect 11 "2 s" $it.stalls
done
grep -q "mqtt in 10 s, for the proxy 127.0.0.1:$(port hangs-long) has not answered; trying amqp" dps.mqtt.hangs-long.log ||
	fail "$(cat dps.mqtt.hangs-long.log)"

# A message waits while the way is barred, and is sent once it is open; the name is shown to the proxy, and to nobody else.
for by in "${transports[@]}"; do
	timeout 60 holdfast send --hub "$hub:$(port_of "$by")" --device-id meter "${device[@]}" --transport "$by" --timeout 20 \
		--proxy "http://127.0.0.1:$(port "improves-$by")" --proxy-auth-file auth "over $by" >"$by.out" 2>"$by.log" ||
		{ cat "$by.log" >&2; fail "over $by the message was not sent"; }
	grep -q "the proxy .* opened no way .* HTTP 403" "$by.log" || fail "over $by nobody was told that the way was barred"
	[ "$(bodies meter | grep -cx "over $by")" = 1 ] || fail "over $by: $(bodies meter)"
done
grep -q "improves-amqp CONNECT $hub:$amqp_port named" seen || fail "$(cat seen)"
! grep -q "$secret\|$(base64 -w0 <auth | cut -c1-12)" ./*.log ./*.out || fail "the proxy's password is in $(grep -l "$secret" ./*.log ./*.out)"
[ $failed = 0 ]
