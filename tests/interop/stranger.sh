# Our device before a service that shares no code with ours: DPS by MQTT and by HTTPS, telemetry at the hub.
. "$(dirname "$0")/lib.bash"
ip link set lo up
printf '127.0.0.1 localhost %s %s\n' $dps $hub >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
: >"$work/emulator.log"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=stranger \
	-addext "subjectAltName=DNS:$dps,DNS:$hub" -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
new_key >"$work/device.key"
[ -d "$here/node_modules" ] || fail "say npm ci in $here"
node "$here/stranger.js" "$work" "$(cat "$work/device.key")" >"$work/heard" &
helpers+=($!)
await 20 grep -q ready "$work/heard"
export HOLDFAST_TRUST=$work/cert.pem HOLDFAST_ID_SCOPE=0ne00stranger
device() {
	timeout 60 "$HOLDFAST_BIN/holdfast" "$1" --symmetric-key "$work/device.key" --registration-id strange-1 "${@:2}"
}

# has WORDS...: some one line of what was heard has them all
has() {
	local lines word
	lines=$(cat "$work/heard")
	for word in "$@"; do
		lines=$(grep -Fe "$word" <<<"$lines") || { cat "$work/heard" >&2; fail "not heard: $*"; }
	done
}

for transport in mqtt http; do
	device register --transport $transport --payload '{"site":1}' --json >"$work/assigned"
	is $hub "$(field assigned_hub <"$work/assigned")"
	is strange-1-dev "$(field device_id <"$work/assigned")"
	is 7 "$(field payload.area <"$work/assigned")"
done
has '"heard":"connect"' '0ne00stranger/registrations/strange-1/api-version=' '"good":true'
has '"heard":"subscribe"' '$dps/registrations/res/#'
has '"heard":"register"' '\"site\":1' '\"registrationId\":\"strange-1\"'
has '"heard":"poll"' 'operationId=4.0123456789abcdef.strange-1'
has '"heard":"disconnect"' '"dps":true'
has '"heard":"http register"' '"good":true' '"type":"application/json' '\"site\":1'
has '"heard":"http poll"' '/operations/4.0123456789abcdef.strange-1?' '"good":true'

device send --state "$work/state" --property 'line=seven &' --property empty= 'first words'
has '"heard":"connect"' "$hub/strange-1-dev/?api-version=" '"good":true' '"clean":false'
has '"heard":"event"' 'devices/strange-1-dev/messages/events/' 'line=seven%20%26' 'empty=' '"body":"first words"' '"qos":1'

new_key >"$work/device.key"
refused 'errorCode 401002, tracking id 00000000-1111-2222-3333-444444444444' device register --transport http
refused 'refused the connection of strange-1 (MQTT code 5)' device register
