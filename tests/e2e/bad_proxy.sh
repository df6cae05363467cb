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
dps_port=$mqtt_port
unset HOLDFAST_CONNECT HOLDFAST_ENDPOINT # a proxy is asked by name; here, it is asked for this machine
port_of() { case $1 in mqtt) echo $mqtt_port ;; amqp) echo $amqp_port ;; *) echo $https_port ;; esac; }

# to dps|hub TRANSPORT PROXY [OPTIONS...]: in the background; its status, its words
jobs=()
to() {
	local whom=$1 by=$2 proxy=$3 name=$1.$2.$3
	shift 3
	local at=127.0.0.1:$(port_of "$by") command
	[ "$whom" = dps ] && command=(holdfast register --endpoint "$at") ||
		command=(holdfast send --hub "$at" --device-id meter)
	(
		got=0
		timeout 30 "${command[@]}" "${device[@]}" --transport "$by" --proxy "http://127.0.0.1:$(port "$proxy")" --timeout 2 \
			"$@" $([ "$whom" = dps ] || echo hello) >"$name.out" 2>"$name.log" || got=$?
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

transports=(mqtt mqtt-ws amqp amqp-ws http)
bad=(wants negotiates forbids fails hangs cuts closes resets babbles cuts-tls no-tls stalls)
for by in "${transports[@]}"; do
	for proxy in wants forbids hangs cuts cuts-tls; do
		to dps "$by" "$proxy"
		to hub "$by" "$proxy"
	done
done
for proxy in negotiates fails closes resets babbles no-tls stalls; do
	to dps amqp "$proxy"
	to hub http "$proxy"
done
join
for f in *.status; do echo "$(cat $f) ${f%.status}: $(tail -n1 ${f%.status}.log)"; done
