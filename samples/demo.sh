#!/usr/bin/env bash
# Three devices prove who they are, are told their IoT Hub and send telemetry; two impostors are refused.
# Without an account, a network or a privilege: the TPMs are swtpm's, the cloud is the emulator.
# HOLDFAST_BIN is the folder of holdfast and holdfast-emulator, when they are not in PATH.
set -euo pipefail
PATH=${HOLDFAST_BIN:+$HOLDFAST_BIN:}$PATH
unset "${!HOLDFAST_@}" HOLDFAST_BIN # nothing of the caller's own devices gets in
bold='' plain=''
[ ! -t 1 ] || bold=$'\e[1m' plain=$'\e[0m'

dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-demo.XXXXXX")
cd "$dir"
pids=()
end() {
	local status=$?
	trap - EXIT
	[ $status = 0 ] || { echo "demo: failed; the emulator's last words:"; tail -n 5 emulator.log; } >&2
	kill "${pids[@]}" 2>/dev/null || true
	wait
	cd / && rm -rf "$dir"
	exit $status
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
say() { local line; for line; do printf '%s\n' "${line:+   $line}"; done; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }
indent() { sed 's/^/      /'; }

# A command as one would type it, with the middle of long keys left out.
typed() {
	local word line='   $' length=4
	for word; do
		[ ${#word} -le 40 ] || word=${word:0:12}...${word: -6}
		[[ $word =~ ^[A-Za-z0-9_./:=,+-]+$ ]] || word="'$word'"
		length=$((length + 1 + ${#word}))
		[ $length -le 96 ] || { line+=$' \\\n       ' length=$((8 + ${#word})); }
		line+=" $word"
	done
	printf '%s\n' "$line"
}

# Shows a command and what it prints. What it says about its progress is shown when it fails.
run() {
	typed "$@"
	"$@" >out 2>err || { cat err >&2; die "that should have worked"; }
	sed -E 's/(.{60})[^ ]{20,}(.{6})$/\1...\2/' out | indent
}

register() {
	run holdfast register "$@"
	grep -q '^assigned hub ' out || die "no hub was assigned"
}

# A command that has to fail because the service said no, with an error code of its own.
refused() {
	local status=0
	typed "$@"
	"$@" >out 2>err || status=$?
	[ $status = 8 ] || { cat out err >&2; die "exit status $status where 8 (identity refused) was due"; }
	grep -q 'errorCode 40[0-9]*' err || { cat err >&2; die "the service's error code is missing"; }
	tail -n 1 err | fold -s -w 92 | sed 's/ *$//' | indent
}

# start_tpm NAME: a software TPM behind the socket NAME.sock
start_tpm() {
	mkdir "$1"
	swtpm socket --tpm2 --tpmstate dir="$dir/$1" --flags not-need-init,startup-clear \
		--server type=unixio,path="$1.sock" --ctrl type=unixio,path="$1.sock.ctrl" >"$1.log" 2>&1 &
	pids+=($!)
	wait_for $! "swtpm" test -S "$1.sock"
}

# wait_for PID WHAT COMMAND...: until the command works, five seconds at most
wait_for() {
	local pid=$1 what=$2 i
	shift 2
	for ((i = 0; i < 100; i++)); do
		! "$@" >/dev/null 2>&1 || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	die "$what did not start: $(cat ./*.log)"
}

step "1. The cloud: DPS and two IoT Hubs, emulated. It believes nothing that is not proved."
holdfast-emulator --data emulator --mqtt-port 0 --https-port 0 --amqp-port 0 --retry-after 1 >ready 2>emulator.log &
pids+=($!)
wait_for $! "the emulator" holdfast-emulator --data emulator env
eval "$(holdfast-emulator --data emulator env)"
say "$(sed 's/, data.*//' ready)" \
	"\"holdfast-emulator --data emulator env\" set HOLDFAST_ID_SCOPE, HOLDFAST_CONNECT, HOLDFAST_TRUST" \
	"and HOLDFAST_SERVICE; so the commands below are those that one types for Azure."

step "2. Three devices, three kinds of identity."
say "A TPM. Its endorsement key never leaves it; the registration id is made from that key."
start_tpm tpm
run holdfast identity --tpm=swtpm:path=tpm.sock
tpm_id=$(sed -n 's/^registration id *//p' out)
endorsement_key=$(sed -n 's/^endorsement key *//p' out)
say "" "A key in a file, and a certificate for it that the factory's CA has signed."
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=factory -days 30 \
	-keyout factory.key -out factory.pem 2>openssl.log
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=boiler -days 2 \
	-CA factory.pem -CAkey factory.key -addext basicConstraints=critical,CA:false \
	-keyout boiler.key -out boiler.pem 2>openssl.log
run holdfast identity --cert boiler.pem --key boiler.key
say "" "A symmetric key: 32 random bytes, known to the device and to its owner."
openssl rand -base64 32 >meter.key
say "\$ openssl rand -base64 32 >meter.key"

step "3. Their owner enrolls them, over the REST API of DPS."
run holdfast enroll tpm --registration-id "$tpm_id" --device-id pump --endorsement-key "$endorsement_key"
run holdfast enroll group-x509 --registration-id factory --cert factory.pem
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key

step "4. Each proves itself to DPS, and is told where it belongs."
register --tpm=swtpm:path=tpm.sock --state pump.json
say "The TPM opened a challenge that was sealed for its endorsement key, as no other TPM could. In it" \
	"was a key, now the TPM's own, that signs for the hub. (Over HTTPS: DPS takes no TPM over MQTT.)" ""
register --cert boiler.pem --key boiler.key --state boiler.json
say "TLS made it sign with the certificate's key; the certificate leads to the CA that was enrolled." ""
register --symmetric-key meter.key --registration-id meter --state meter.json
say "It signed a token with the key; the key itself was not sent."

step "5. Each sends telemetry to its hub, and waits until the hub has stored it."
run holdfast send --tpm=swtpm:path=tpm.sock --state pump.json --property unit=bar '{"pressure":2.6}'
run holdfast send --cert boiler.pem --key boiler.key --state boiler.json --property unit=C '{"heat":71}'
run holdfast send --symmetric-key meter.key --registration-id meter --state meter.json --property unit=kWh '{"used":0.4}'

step "6. What arrived."
say "\$ holdfast-emulator --data emulator events"
holdfast-emulator --data emulator events >events
python3 - <<'PY' || die "a message that was acknowledged is not among the events"
import json, sys
expected = {("pump", "sas"): '{"pressure":2.6}', ("boiler", "x509"): '{"heat":71}', ("meter", "sas"): '{"used":0.4}'}
for line in open("events"):
    e = json.loads(line)
    who = e["deviceId"], e["authMethod"]["type"]
    properties = " ".join(f"{k}={v}" for k, v in e["properties"].items())
    print(f'      {who[0]:8} at hub {e["hub"]}, believed by {who[1]:6} {e["body"]:18} {properties}')
    if expected.get(who) == e["body"]:
        del expected[who]
sys.exit(len(expected))
PY

step "7. Impostors."
say "Another TPM that claims to be the pump:"
start_tpm other
refused holdfast register --tpm=swtpm:path=other.sock --registration-id "$tpm_id"
say "" "A device that knows the meter's name, and guesses its key:"
openssl rand -base64 32 >guess.key
refused holdfast register --symmetric-key guess.key --registration-id meter

step "Three devices onboarded, two impostors refused, in $SECONDS seconds."
