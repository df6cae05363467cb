#!/usr/bin/env bash
# Planted keys, passwords and tokens are in no log, no answer, no state file, no core; and a program that has let go of them
# has them nowhere in its memory.
. "$(dirname "$0")/lib.bash"
: "${build:?HOLDFAST_BUILD is the folder of the build}"

# plant NAME <BYTES: the secret is written down, in base64
plant() { echo "$1 $(base64 -w0)" >>secrets; }
key_of() { openssl pkey -in "$1" -text -noout | sed -n '/^priv:/,/^pub:/p' | sed '1d;$d' | tr -d ' :\n' | $python -c '
import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read())[-32:])'; }

start_emulator
start_tpm tpm
tpm2_changeauth -T "$(tcti tpm)" -c owner "the owner's password: nobody's 9"
tpm2_changeauth -T "$(tcti tpm)" -c endorsement "endorsement's password: no one 9"
printf "the owner's password: nobody's 9\n" >owner.auth
printf "endorsement's password: no one 9" >endorsement.auth
printf "the owner's password: nobody's 9" | plant owner-password
printf "endorsement's password: no one 9" | plant endorsement-password
tpm=(--tpm="$(tcti tpm)" --owner-auth-file owner.auth --endorsement-auth-file endorsement.auth)
for name in meter wrong group; do
	new_key >$name.key
	base64 -d $name.key | plant $name
done
printf %s meters-1 | hmac "$(cat group.key)" | base64 -d | plant derived
certificate boiler
key_of boiler.key | plant boiler
openssl pkcs8 -topk8 -nocrypt -in boiler.key -out boiler.p8
for line in 2 3; do
	sed -n ${line}p boiler.key | tr -d '\n' | plant boiler-line-$line
	sed -n ${line}p boiler.p8 | tr -d '\n' | plant boiler-p8-line-$line
done
openssl req -x509 -newkey rsa:2048 -noenc -subj /CN=drill -days 2 -addext basicConstraints=critical,CA:FALSE \
	-keyout drill.key -out drill.pem 2>openssl.out
for n in 5 6 20; do sed -n ${n}p drill.key | tr -d '\n' | plant drill-line-$n; done
openssl rsa -in drill.key -text -noout 2>openssl.out | $python -c '
import re, sys
numbers = re.findall(r"^(\w+):.*\n((?: +[0-9a-f:]+\n)+)", sys.stdin.read(), re.M)
for name, text in numbers:
    if name not in ("modulus", "publicExponent"):
        print(name, re.sub(r"[^0-9a-f]", "", text)[-128:])' >numbers
while read -r name hex; do $python -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$hex" |
	plant "drill-$name"; done <numbers
[ "$(wc -l <numbers)" = 6 ] || fail "that is no RSA key"
part SharedAccessKey <<<"$HOLDFAST_SERVICE" | base64 -d | plant service
part SharedAccessKey <<<"$HOLDFAST_HUB_SERVICE" | base64 -d | plant hub-service
printf %s "$HOLDFAST_SERVICE" >service

# All that is said and kept, of what works and of what does not.
step=0
try() { # try COMMAND...
	step=$((step + 1))
	timeout 60 "$@" >"said-$step" 2>"said-$step.log" || true
}
for json in "" --json; do
	try holdfast identity "${tpm[@]}" $json
	id=$(sed -n 's/^registration id *//p' said-1)
	ek=$(sed -n 's/^endorsement key *//p' said-1)
	try holdfast enroll tpm --registration-id "$id" --endorsement-key "$ek" $json
	try holdfast enroll x509 --registration-id boiler --cert boiler.pem $json
	try holdfast enroll x509 --registration-id drill --cert drill.pem $json
	try holdfast enroll symmetric --registration-id meter --symmetric-key meter.key $json
	try holdfast enroll group-symmetric --registration-id meters --symmetric-key group.key $json
	try holdfast enroll symmetric --registration-id meter --symmetric-key boiler.key $json
	try holdfast enroll symmetric --registration-id "" --symmetric-key meter.key $json
	for t in $([ -n "$json" ] && echo mqtt || echo mqtt http); do
		for key in meter.key wrong.key boiler.key service; do
			try holdfast register --symmetric-key $key --registration-id meter --transport $t --state ${key%.key}-$t.json $json
		done
		try holdfast register --group-key group.key --registration-id meters-1 --transport $t --state group-$t.json $json
		try holdfast register --group-key wrong.key --registration-id meters-1 --transport $t $json
		try holdfast register --cert boiler.pem --key boiler.key --transport $t --state boiler-$t.json $json
		try holdfast register --cert boiler.pem --key meter.key --transport $t $json
	done
	try holdfast register "${tpm[@]}" --state tpm.json $json
	try holdfast register "${tpm[@]}" --owner-auth-file meter.key --key-handle 0x81000101 $json
	try holdfast send --symmetric-key meter.key --registration-id meter --state meter-mqtt.json $json hello
	try holdfast send --symmetric-key wrong.key --registration-id meter --hub 127.0.0.2 --device-id meter $json hello
	try holdfast send --cert boiler.pem --key boiler.key --state boiler-http.json $json hello
	try holdfast send "${tpm[@]}" --state tpm.json $json hello
done
for what in events "events --json" devices "devices --json"; do
	# shellcheck disable=SC2086
	try holdfast-emulator --data "$data" $what
done
try owner GET /enrollments/meter
try owner GET /enrollmentGroups/meters
grep -lq 'acknowledged' said-* || fail "nothing was sent"
[ "$(bodies | grep -cx hello)" = 6 ] || fail "$(bodies)"
$python "$here/secrets.py" scan secrets said-* ./*.json emulator.log ready || fail "a secret has been told"
! grep -l 'SharedAccessSignature\|sig=' said-* ./*.json emulator.log ready || fail "a token has been told"
say "$step commands, and what they said and kept: no secret in it"

# A device at its hub: what it has needed on the way there, and not since, is not in its memory any more.
grep '^group \|-line-' secrets >gone
sed -n 's/^meter //p' secrets | tr -d '=\n' | plant meter-text
grep '^meter-text ' secrets >>gone
grep '^meter ' secrets >live
core() { # core SECRETS DEVICE IDENTITY...
	env -u HOLDFAST_SERVICE -u HOLDFAST_HUB_SERVICE timeout 60 $python "$here/secrets.py" core "$1" "$data" "$2" holdfast send "${@:3}" 2>send.log
}
looked=0
look() { # look DEVICE IDENTITY...
	core gone "$@" || { cat send.log >&2; fail "it should have let go of that: $*"; }
	looked=$((looked + 1))
}
core live meter --symmetric-key meter.key --registration-id meter >found && fail "it does not find what is there"
[ -s found ] || { cat send.log >&2; fail "it has not looked"; }
look meter --symmetric-key meter.key --registration-id meter
look meters-1 --group-key group.key --registration-id meters-1
look boiler --cert boiler.pem --key boiler.key
look drill --cert drill.pem --key drill.key
say "$looked devices at their hub: nothing is in their memory that they do not need any more"

# A program that has let go of everything. Its symbols are bound when it starts: the first call of a function would leave all registers on the
# stack, and with them what was just copied.
sanitizers=()
! nm "$build/src/libholdfast.a" | grep __asan_init >/dev/null || sanitizers=(-fsanitize=address,undefined)
# shellcheck disable=SC2046
cc -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror -O2 -g -I"$source/include" ${sanitizers[@]+"${sanitizers[@]}"} "$here/let_go.c" \
	"$build/src/libholdfast.a" $(pkg-config --libs openssl tss2-esys tss2-mu tss2-rc tss2-tctildr p11-kit-1) -lwslay -l:libqpid-proton-core.so.10 -pthread -Wl,-z,now -o let_go
settings=(id-scope="$HOLDFAST_ID_SCOPE" connect="$HOLDFAST_CONNECT" trust="$HOLDFAST_TRUST")
scope=$HOLDFAST_ID_SCOPE
unset "${!HOLDFAST_@}"
failed=0
let_go() { # let_go DEVICE TASK SETTINGS...
	timeout 60 $python "$here/secrets.py" let-go secrets "$data/registry.db" "$scope" "$1" \
		./let_go "$2" "${settings[@]}" "${@:3}" 2>let_go.err && return
	{ echo "let_go ${*:2}:"; cat let_go.err; } >&2
	failed=1
}
meter=(symmetric-key=meter.key registration-id=meter)
tpm=(tpm="$(tcti tpm)" owner-auth-file=owner.auth endorsement-auth-file=endorsement.auth)
let_go meter hold "${meter[@]}" 2>/dev/null
[ $failed = 1 ] || fail "it does not find what is there"
failed=0
let_go meter send "${meter[@]}"
let_go meter send "${meter[@]}" transport=http
let_go meters-1 send group-key=group.key registration-id=meters-1
let_go meter fail symmetric-key=wrong.key registration-id=meter
for key in boiler.key boiler.p8; do
	let_go boiler identify cert=boiler.pem key=$key
	let_go boiler send cert=boiler.pem key=$key
done
let_go drill identify cert=drill.pem key=drill.key
let_go drill send cert=drill.pem key=drill.key
let_go "$id" identify "${tpm[@]}"
let_go "$id" register "${tpm[@]}"
let_go "$id" send "${tpm[@]}"
let_go let-go enroll
[ $failed = 0 ] || fail "what was let go of is still in memory"
