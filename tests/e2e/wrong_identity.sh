#!/usr/bin/env bash
# Everyone who is not who they say they are is refused, over every transport, with the exit code and the error code that
# the reference has for it, in the sentence and in the JSON. Prints a table.
. "$(dirname "$0")/lib.bash"

rows=0
row() { printf '%-58s %-5s %-5s %s\n' "$@"; }
fault() { cat err out >&2; fail "$*"; }

# refused CODE ERROR-CODE WORDS WHAT COMMAND...: ERROR-CODE 0: the wire has no room for one
refused() {
	local code=$1 service=$2 words=$3 what=$4 transport=$5 got=0 kind
	shift 5
	timeout 60 "$@" --json >out 2>err || got=$?
	check_sane
	[ $got = "$code" ] || fault "$what over $transport: status $got, not $code"
	kind=$($python -c 'import json
e = json.load(open("out"))["error"]
said = open("err").read().strip().split("\n")[-1]
assert said.endswith(e["text"]), "the sentence and the JSON differ"
code = e["error_code"]
assert not code or (f"errorCode {code}," in said and e["tracking_id"] and e["tracking_id"] in said), "codes are missing"
assert not code or e["status"] == code // 1000, "another status"
print(code)') || fault "$what over $transport: what it says is not as it should be"
	[ "$kind" = "$service" ] || fault "$what over $transport: errorCode $kind, not $service"
	tail -n 1 err | grep -q -e "$words" || fault "$what over $transport: it does not say \"$words\""
	row "$what" "$transport" "$got" "$([ "$service" = 0 ] && echo - || echo "$service")"
	rows=$((rows + 1))
}

# both CODE ERROR-CODE WORDS WHAT IDENTITY...: registers over each transport
both() {
	local code=$1 service=$2 words=$3 what=$4 t
	shift 4
	for t in mqtt http; do
		refused "$code" "$service" "$words" "$what" $t holdfast register --transport $t "$@"
	done
}

disable() { # disable KIND ID ID-MEMBER ATTESTATION: enrolled or not yet
	local body="{\"$3\":\"$2\",\"attestation\":$4,\"provisioningStatus\":\"disabled\"}"
	owner PUT "/$1/$2" "$body" -H 'If-Match: *' | tail -n 1 | grep -qx 200 ||
		owner PUT "/$1/$2" "$body" | tail -n 1 | grep -qx 200 || fail "the owner could not disable $2"
}

derive() { printf %s "$2" | hmac "$(cat "$1")"; }

start_emulator
start_tpm first
start_tpm second
row "who is refused" over exit errorCode

# Symmetric keys.
for name in meter other rest group; do new_key >$name.key; done
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
run holdfast enroll symmetric --registration-id other --symmetric-key other.key
run holdfast enroll group-symmetric --registration-id meters --symmetric-key group.key
disable enrollments off registrationId '{"type":"symmetricKey","symmetricKey":{"primaryKey":"'"$(cat rest.key)"'"}}'
meter=(--symmetric-key meter.key --registration-id meter)
both 8 404202 "ID scope" "unknown scope" "${meter[@]}" --id-scope 0ne00000000
both 8 401002 "not enrolled" "unknown id" --symmetric-key meter.key --registration-id nobody
both 8 401002 "not signed" "wrong key" --symmetric-key other.key --registration-id meter
both 8 401002 "disabled" "disabled enrollment" --symmetric-key rest.key --registration-id off
derive group.key meters-1 >derived.key
both 8 401002 "not signed" "derived group key of another id" --symmetric-key derived.key --registration-id meters-2
both 8 401002 "not signed" "key derived from another group's key" --group-key other.key --registration-id meters-1
both 8 401002 "not signed" "group key itself, not derived" --symmetric-key group.key --registration-id meters-1
both 8 401002 "not signed" "derived group key for one enrolled by itself" --group-key group.key --registration-id meter
disable enrollmentGroups gone enrollmentGroupId \
	'{"type":"symmetricKey","symmetricKey":{"primaryKey":"'"$(cat rest.key)"'"}}'
both 8 401002 "disabled" "disabled group" --group-key rest.key --registration-id gone-1

# Certificates.
certificate boiler
mv boiler.pem enrolled.pem
mv boiler.key enrolled.key
certificate boiler
certificate late --days -9 -2
certificate soon --days 2 9
certificate root --authority
certificate factory --authority --ca root
certificate line --ca factory
certificate late-line --ca factory --days -9 -2
certificate soon-line --ca factory --days 2 9
certificate forger --authority --cn factory
certificate forged --ca forger
certificate stranger --authority
certificate strange --ca stranger
certificate leaf-issuer --ca factory
certificate grandchild --ca leaf-issuer
certificate tired --authority --ca root --days -9 -2
certificate tired-line --ca tired
run holdfast enroll x509 --registration-id boiler --cert enrolled.pem
run holdfast enroll x509 --registration-id late --cert late.pem
run holdfast enroll x509 --registration-id soon --cert soon.pem
run holdfast enroll group-x509 --registration-id works --cert root.pem
for name in line late-line soon-line forged grandchild; do cat $name.pem factory.pem >$name.chain; done
cat grandchild.pem leaf-issuer.pem factory.pem >grandchild.chain
cat tired-line.pem tired.pem >tired-line.chain
run holdfast register --cert enrolled.pem --key enrolled.key
boiler_hub=$(sed -n 's/^assigned hub *//p' out)
run holdfast register --cert line.chain --key line.key
line_hub=$(sed -n 's/^assigned hub *//p' out)
x509() { # x509 ERROR-CODE WORDS WHAT CERT KEY MORE...
	both 8 "$1" "$2" "$3" --cert "$4" --key "$5" "${@:6}"
}
x509 404202 "ID scope" "unknown scope, certificate" enrolled.pem enrolled.key --id-scope 0ne00000000
x509 401002 "not the one" "another key's certificate with the same CN" boiler.pem boiler.key
x509 401002 "expired" "expired certificate" late.pem late.key
x509 401002 "not yet valid" "certificate that is not yet valid" soon.pem soon.key
x509 401002 "common name" "CN that is not the registration id" enrolled.pem enrolled.key --registration-id meter-9
x509 401002 "not signed\|no SAS token" "certificate for one enrolled with a key" enrolled.pem enrolled.key --registration-id meter
x509 401002 "leads to no enrolled CA" "chain to an unknown CA" strange.pem strange.key
x509 401002 "leads to no enrolled CA" "missing intermediate" line.pem line.key
x509 401002 "leads to no enrolled CA" "chain broken: an issuer of the same name" forged.chain forged.key
x509 401002 "leads to no enrolled CA" "issuer that is no CA" grandchild.chain grandchild.key
x509 401002 "expired" "expired certificate under a good CA" late-line.chain late-line.key
x509 401002 "not yet valid" "not yet valid under a good CA" soon-line.chain soon-line.key
x509 401002 "expired" "expired intermediate" tired-line.chain tired-line.key
disable enrollments boiler registrationId "$($python -c 'import json
print(json.dumps({"type": "x509", "x509": {"clientCertificates": {"primary": {"certificate": open("enrolled.pem").read()}}}}))')"
x509 401002 "disabled" "disabled enrollment, certificate" enrolled.pem enrolled.key
refused 5 0 "does not belong" "key that is not the certificate's" - holdfast register --cert enrolled.pem --key boiler.key

# TPMs, over HTTPS as DPS has it.
identity() { # identity NAME FIELD
	holdfast identity --json --tpm="$(tcti "$1")" | $python -c "import json, sys; print(json.load(sys.stdin)['$2'])"
}
id=$(identity first registration_id)
ek=$(identity first endorsement_key)
ek2=$(identity second endorsement_key)
srk2=$(identity second storage_root_key)
first=(holdfast register --tpm="$(tcti first)")
second=(holdfast register --tpm="$(tcti second)")
refused 8 404201 "no enrollment" "TPM that is not enrolled" http "${second[@]}"
run holdfast enroll tpm --registration-id "$id" --endorsement-key "$ek"
refused 8 404202 "ID scope" "unknown scope, TPM" http "${first[@]}" --id-scope 0ne00000000
refused 8 401002 "endorsement key" "second TPM that claims the first one's id" http "${second[@]}" --registration-id "$id"
refused 13 0 "no TPM over MQTT" "TPM over MQTT" mqtt "${first[@]}" --transport mqtt
refused 8 401002 "endorsementKey" "symmetric key for a TPM's id" http \
	holdfast register --transport http --symmetric-key meter.key --registration-id "$id"

# A relay that listens shows what travels, and puts the first TPM's public key into the second's mouth.
relay() { # relay LOG [OLD NEW]
	$python "$here/between.py" "$1.port" "$data/server.pem" "$data/server-key.pem" "$HOLDFAST_TRUST" "$https_port" "$@" 2>"$1.err" &
	await 10 test -s "$1.port"
	through=(--connect "$dps:443=127.0.0.1:$(cat "$1.port")")
}
relay liar "$ek2" "$ek"
refused 5 0 "cannot open what the service sealed" "second TPM that shows the first one's EK" http "${second[@]}" --registration-id "$id" "${through[@]}"
relay spy
run "${first[@]}" "${through[@]}"

# What the spy has: the token that answered a challenge. It is good for nothing now.
register=$(sed -n 's|^PUT \([^?]*\)?.*|\1|p' spy | head -n 1)
sas=$(sed -n 's/^[Aa]uthorization: *\(.*[^\r]\)\r*$/\1/p' spy | head -n 1)
[[ $sas == SharedAccessSignature*sig=* ]] || fail "the relay has heard no token"
replayed() { # replayed WHAT TOKEN EK SRK
	local code
	web "$register?api-version=2021-06-01" -X PUT -H "Authorization: $2" -H 'Content-Type: application/json' -d \
		"{\"registrationId\":\"$id\",\"tpm\":{\"endorsementKey\":\"$3\",\"storageRootKey\":\"$4\"}}" >out 2>err
	[ "$(tail -n 1 out)" = 401 ] || fault "$1: $(tail -n 1 out)"
	code=$(sed -n 's/.*"errorCode":\([0-9]*\).*/\1/p' out)
	[ "$code" = 401002 ] && grep -q '"trackingId":"[^"]' out || fault "$1: errorCode $code"
	row "$1" http - "$code"
	rows=$((rows + 1))
}
srk=$(identity first storage_root_key)
replayed "token of an answered challenge, once more" "$sas" "$ek" "$srk"
web "$register?api-version=2021-06-01" -X PUT -H 'Content-Type: application/json' -d \
	"{\"registrationId\":\"$id\",\"tpm\":{\"endorsementKey\":\"$ek\",\"storageRootKey\":\"$srk2\"}}" >out
grep -q '"authenticationKey"' out || fault "no challenge"
replayed "token of an older challenge" "$sas" "$ek" "$srk2"
replayed "challenge answered with a guessed key" \
	"$(token "$HOLDFAST_ID_SCOPE/registrations/$id" "$(new_key)" registration)" "$ek" "$srk2"
disable enrollments "$id" registrationId "{\"type\":\"tpm\",\"tpm\":{\"endorsementKey\":\"$ek\"}}"
refused 8 401002 "disabled" "disabled enrollment, TPM" http "${first[@]}"

# The hub's door. MQTT 3.1.1 has a code there and no words: 5.
run holdfast register "${meter[@]}" --state meter.json
hub=$(sed -n 's/^assigned hub *//p' out)
elsewhere=$([ "$hub" = 127.0.0.2 ] && echo 127.0.0.3 || echo 127.0.0.2)
scope=$HOLDFAST_ID_SCOPE
run holdfast send --state meter.json "${meter[@]}" hello
refused 8 401002 "not signed" "hub: wrong key, and DPS asked where it belongs" mqtt \
	holdfast send --hub "$hub" --device-id meter --symmetric-key other.key --registration-id meter hello
unset HOLDFAST_ID_SCOPE # from here on it does not know whom to ask
door() { # door WHAT DEVICE ARGUMENTS...
	refused 8 0 "refused device $2 (MQTT code 5)" "hub: $1" mqtt holdfast send --device-id "$2" "${@:3}" hello
}
door "wrong key" meter --hub "$hub" --symmetric-key other.key --registration-id meter
door "wrong device id" nobody --hub "$hub" "${meter[@]}"
door "another device's id" other --hub "$hub" "${meter[@]}"
door "hub that has not got the device" meter --hub "$elsewhere" "${meter[@]}"
door "certificate for a device with a key" meter --hub "$hub" --cert enrolled.pem --key enrolled.key
door "another key's certificate with the same CN" boiler --hub "$boiler_hub" --cert boiler.pem --key boiler.key
door "missing intermediate" line --hub "$line_hub" --cert line.pem --key line.key
door "chain broken: an issuer of the same name" forged --hub "$line_hub" --cert forged.chain --key forged.key
start_tpm third
refused 5 0 "0x81000100: no such object" "hub: TPM that has no key of the hub's" mqtt \
	holdfast send --hub "$hub" --device-id "$id" --tpm="$(tcti third)" hello

# Disabled at the hub, then deleted there, by hand: that API is not emulated.
edit() { # edit SQL
	stop_emulator
	$python -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: assert db.execute(sys.argv[2]).rowcount == 1' "$data/registry.db" "$1"
	start_emulator
	unset HOLDFAST_ID_SCOPE
}
edit "UPDATE device SET json = replace(json, '\"enabled\"', '\"disabled\"') WHERE id = 'meter'"
door "disabled device" meter --hub "$hub" "${meter[@]}"
edit "DELETE FROM device WHERE id = 'meter'"
door "deleted device" meter --hub "$hub" "${meter[@]}"
run holdfast send --state meter.json "${meter[@]}" --id-scope "$scope" "I am back"
arrived meter "I am back" || fail "a device that its hub has lost was not given to it again"

say "$rows refused"
[ "$(bodies | sort | uniq -c | sed 's/^ *//')" = "1 I am back
1 hello" ] || { bodies; fail "one of those who were refused has sent something"; }
