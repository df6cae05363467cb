#!/usr/bin/env bash
# The emulator as a process, met by curl, openssl and mosquitto alone: start, certificates, env, an onboarding, kill -9, end.
set -euo pipefail
emulator=$HOLDFAST_BIN/holdfast-emulator
dir=$(mktemp -d)
data=$dir/data
pid=

end() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
	rm -rf "$dir"
}
trap end EXIT
fail() {
	echo "FAIL: $*" >&2
	[ ! -f "$dir/log" ] || cat "$dir/log" >&2
	exit 1
}
expect() { # expect WORD in TEXT
	[[ $2 == *"$1"* ]] || fail "no '$1' in: $2"
}

start() {
	: >"$dir/ready"
	"$emulator" --data "$data" --mqtt-port 0 --https-port 0 --amqp-port 0 --retry-after 1 "$@" >"$dir/ready" 2>>"$dir/log" &
	pid=$!
	for _ in $(seq 300); do
		[ -s "$dir/ready" ] && break
		kill -0 "$pid" 2>/dev/null || fail "it did not start"
		sleep 0.1
	done
	eval "$("$emulator" --data "$data" env)"
	[[ $HOLDFAST_CONNECT =~ global.azure-devices-provisioning.net:8883=127.0.0.1:([0-9]+) ]] || fail "$HOLDFAST_CONNECT"
	mqtt=${BASH_REMATCH[1]}
	[[ $HOLDFAST_CONNECT =~ 127.0.0.2:443=127.0.0.2:([0-9]+) ]] || fail "$HOLDFAST_CONNECT"
	https=${BASH_REMATCH[1]}
	[[ $HOLDFAST_CONNECT =~ :5671=127.0.0.1:([0-9]+) ]] || fail "$HOLDFAST_CONNECT"
	amqp=${BASH_REMATCH[1]}
	hub=127.0.0.2
}

quote() { # percent-encodes what base64 and resources have
	sed 's/%/%25/g; s/+/%2B/g; s|/|%2F|g; s/=/%3D/g' <<<"$1"
}
token() { # token RESOURCE KEY [NAME]
	local sr se sig hex
	sr=$(quote "$1")
	se=$(($(date +%s) + 3600))
	hex=$(base64 -d <<<"$2" | od -An -v -tx1 | tr -d ' \n')
	sig=$(printf '%s\n%s' "$sr" "$se" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | base64)
	echo "SharedAccessSignature sr=$sr&sig=$(quote "$sig")&se=$se${3:+&skn=$3}"
}
web() { # web HOST PATH [CURL OPTIONS...]
	curl -sS --fail-with-body --cacert "$HOLDFAST_TRUST" --connect-to "$1:443:127.0.0.1:$https" "https://$1$2" "${@:3}"
}
part() { # part NAME of a connection string on standard input
	tr ';' '\n' | sed -n "s/^$1=//p"
}

out=$("$emulator" --data "$data" env 2>&1) && fail "env works without an emulator"
expect "no emulator listens with the data folder $data" "$out"
start
expect "ready: DPS and IoT Hub on 127.0.0.1, MQTT port $mqtt, HTTPS port $https, AMQP port $amqp, scope $HOLDFAST_ID_SCOPE" "$(cat "$dir/ready")"
[ "$(stat -c %a "$data")" = 700 ] || fail "the data folder is open"
[ -z "$(find "$data" -type f -perm /077)" ] || fail "a file in the data folder is open"
[ "$(stat -c %a "$data/control")" = 600 ] || fail "the control socket is open"
scope=$HOLDFAST_ID_SCOPE

out=$("$emulator" --data "$data" --mqtt-port 0 --https-port 0 --amqp-port 0 2>&1) && fail "two emulators share a folder"
expect "another emulator (process $pid)" "$out"
out=$("$emulator" --data "$dir/second" --mqtt-port "$mqtt" --https-port 0 --amqp-port 0 2>&1) && fail "two emulators share a port"
expect "--mqtt-port 0" "$out"
out=$("$emulator" --data "$data" devices --follow 2>&1) && fail "devices follow"
expect "devices has no option --follow" "$out"

for at in 127.0.0.1 127.0.0.2 127.0.0.3; do
	for name in "-verify_ip $at" "-verify_hostname $at"; do
		[ "$at $name" != "127.0.0.1 -verify_hostname 127.0.0.1" ] || name="-verify_hostname localhost"
		# shellcheck disable=SC2086
		out=$(openssl s_client -connect "$at:$mqtt" -CAfile "$HOLDFAST_TRUST" -x509_strict -verify_return_error $name \
			</dev/null 2>&1) || fail "$at $name: $out"
	done
done
out=$(openssl s_client -connect "127.0.0.1:$mqtt" -tls1_1 </dev/null 2>&1) && fail "TLS 1.1 is taken"

key=$(head -c 32 /dev/urandom | base64)
owner=$(token "$HOLDFAST_ENDPOINT" "$(part SharedAccessKey <<<"$HOLDFAST_SERVICE")" provisioningserviceowner)
out=$(web "$HOLDFAST_ENDPOINT" "/enrollments/line7?api-version=2021-10-01" -X PUT -H "Authorization: $owner" \
	-H 'Content-Type: application/json' -d "{\"registrationId\":\"line7\",\"attestation\":{\"type\":\"symmetricKey\",
	\"symmetricKey\":{\"primaryKey\":\"$key\",\"secondaryKey\":\"$key\"}}}") || fail "enroll: $out"
expect line7 "$out"
out=$(web localhost "/enrollments/line7?api-version=2021-10-01") && fail "the service API asks for no token"
expect 401 "$out"

code=$(head -c 4000000 /dev/zero | web localhost / -X PUT -H Expect: --data-binary @- -o "$dir/body" -w '%{http_code}' || true)
[ "$code" = 413 ] || fail "4 MB: status $code"

device=$(token "$scope/registrations/line7" "$key" registration)
register() {
	web "$HOLDFAST_ENDPOINT" "/$scope/registrations/line7/$1?api-version=2021-06-01" -H "Authorization: $device" "${@:2}"
}
out=$(register register -X PUT -d '{"registrationId":"line7"}') || fail "register: $out"
operation=$(sed -n 's/.*"operationId":"\([^"]*\)".*/\1/p' <<<"$out")
for _ in $(seq 50); do
	out=$(register "operations/$operation") || fail "poll: $out"
	[[ $out == *'"status":"assigning"'* ]] || break
	sleep 0.2
done
expect '"status":"assigned"' "$out"
hub=$(sed -n 's/.*"assignedHub":"\([^"]*\)".*/\1/p' <<<"$out")
expect line7 "$("$emulator" --data "$data" devices)"
expect "\"hub\":\"$hub\"" "$("$emulator" --data "$data" devices --json)"

publish() { # publish BODY
	mosquitto_pub --cafile "$HOLDFAST_TRUST" -h "$hub" -p "$mqtt" -V mqttv311 -q 1 -i line7 \
		-u "$hub/line7/?api-version=2021-04-12" -P "$(token "$hub/devices/line7" "$key")" \
		-t 'devices/line7/messages/events/colour=blue' -m "$1"
}
timeout 60 "$emulator" --data "$data" events --follow >"$dir/followed" &
follower=$!
publish one
expect '"body":"one"' "$("$emulator" --data "$data" events)"
expect '"colour":"blue"' "$("$emulator" --data "$data" events --device line7)"
[ -z "$("$emulator" --data "$data" events --device other)" ] || fail "events of another device"
for i in $(seq 50); do
	[ ! -s "$dir/followed" ] || break
	[ "$i" -lt 50 ] || fail "events --follow said nothing"
	sleep 0.1
done
expect '"body":"one"' "$(cat "$dir/followed")"

# What was acknowledged outlives kill -9; the follower hears that the emulator is gone.
publish two
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
wait "$follower" && fail "events --follow ends well though the emulator died"
ca=$(cksum <"$data/ca.pem")
start --hub hub.localhost --hub 127.0.0.2 --hub 127.0.0.3
[ "$HOLDFAST_ID_SCOPE" = "$scope" ] || fail "another scope after a restart"
[ "$(cksum <"$data/ca.pem")" != "$ca" ] || fail "the CA's limits did not follow the names"
expect '"body":"two"' "$("$emulator" --data "$data" events --after 1)"
publish three
expect '"body":"three"' "$("$emulator" --data "$data" events)"
curl -sS --cacert "$HOLDFAST_TRUST" --connect-to "hub.localhost:443:127.0.0.1:$https" https://hub.localhost/ >/dev/null ||
	fail "hub.localhost is not in the certificate"

kill -TERM "$pid"
wait "$pid" || fail "SIGTERM: status $?"
pid=
[ ! -e "$data/control" ] || fail "the control socket is left behind"
for secret in "$key" "$(part SharedAccessKey <<<"$HOLDFAST_SERVICE")" "$(part SharedAccessKey <<<"$HOLDFAST_HUB_SERVICE")" sig=; do
	! grep -qF "$secret" "$dir/log" || fail "a secret is in the log"
done
grep -q "assigned to hub $hub" "$dir/log" || fail "the log does not say what was decided"
