# Qpid Proton, by its binding for Python: as a device and as an owner at our hub; then as the hub of our device.
. "$(dirname "$0")/lib.bash"
/usr/bin/python3 -c 'import proton' || fail "there is no python3-qpid-proton; ./dev deps installs it"
start_emulator

key=$(new_key)
enroll symmetric --registration-id press-1 --symmetric-key - <<<"$key"
echo "$key" >"$work/key"
device=(--symmetric-key "$work/key" --registration-id press-1)
"$HOLDFAST_BIN/holdfast" register "${device[@]}" >/dev/null
policy=$(tr ';' '\n' <<<"$HOLDFAST_HUB_SERVICE" | sed -n 's/^SharedAccessKey=//p')
DATA=$work/data timeout 100 /usr/bin/python3 "$here/qpid_device.py" $hub press-1 "$key" "$policy" || fail "see above"
arrived press-1 'body=all kinds' 'properties.text=seven & a half' properties.int=7 properties.long=-8 properties.yes=true \
	properties.id=00000000-0000-0000-0000-000000000003 properties.sym=s authMethod.type=sas authMethod.scope=device \
	systemProperties.message-id=00000000-0000-0000-0000-000000000007 systemProperties.correlation-id=9 \
	systemProperties.content-type=text/plain systemProperties.content-encoding=utf-8
arrived press-1 'body=a value' systemProperties.message-id=m2
arrived press-1 systemProperties.message-id=big-0
arrived press-1 systemProperties.message-id=big-19
arrived press-1 'body=by cbs'
arrived press-1 'body=by the new one'
is 24 "$(told events | wc -l)"

# The other way round: our device, and a hub that is Qpid's. The emulator has ended, for the port is wanted.
kill $emulator
wait $emulator || fail "the emulator ended with status $?"
emulator=
authority ca
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$hub -keyout "$work/hub.key" -out "$work/hub.csr" 2>/dev/null
openssl x509 -req -in "$work/hub.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -days 1 -set_serial 7 \
	-extfile <(echo "subjectAltName=DNS:$hub") -out "$work/hub.pem" 2>/dev/null
/usr/bin/python3 "$here/qpid_server.py" "$work/hub.pem" "$work/hub.key" press-1 "$key" >"$work/heard" 2>"$work/server.err" &
server=$!
helpers+=($server)
await 20 grep -q ready "$work/heard"
unset HOLDFAST_CONNECT
export HOLDFAST_TRUST=$work/ca.pem
device+=(--hub $hub --device-id press-1 --hub-transport amqp)
ours() { timeout 30 "$HOLDFAST_BIN/holdfast" "$@"; }

# heard WORDS...: some one line of what the server heard has them all
heard() {
	local lines word
	lines=$(cat "$work/heard")
	for word in "$@"; do
		lines=$(grep -Fe "$word" <<<"$lines") || { cat "$work/heard" "$work/server.err" >&2; fail "not heard: $*"; }
	done
}

ours send "${device[@]}" --property 'line=seven &' --property empty= 'first words' || fail "the server: $(cat "$work/heard" "$work/server.err")"
heard '"open"' "\"hostname\": \"$hub\""
heard '"token"' "\"name\": \"$hub/devices/press-1\"" '"type": "servicebus.windows.net:sastoken"' '"good": true'
heard '"attach"' '"/devices/press-1/messages/events"' '"sends": true'
heard '"event"' '"body": "first words"' '"line": "seven &"' '"empty": ""' '"to": "/devices/press-1/messages/events"'
ours send "${device[@]}" --early --count 100 many
is 100 "$(grep -c '"body": "many' "$work/heard")"
ours send "${device[@]}" again
is 2 "$(grep -c '"body": "again"' "$work/heard")"
refused 'does not take the message: amqp:not-allowed: too much' ours send "${device[@]}" 'too much'

# down: given back, and it comes again; then completed
ours receive "${device[@]}" --answer abandon --count 1 --timeout 1 >/dev/null || true
heard '"outcome"' released
ours receive "${device[@]}" --json --count 1 >"$work/down"
is 'from another hub 77 c1 full seven & a half text/plain' "$(field body <"$work/down") $(field message_id <"$work/down") $(field correlation_id <"$work/down") \
$(field ack <"$work/down") $(field properties.line <"$work/down") $(field content_type <"$work/down")"
heard '"outcome"' accepted
heard '"close"'

new_key >"$work/key"
refused 'not his key' ours send "${device[@]}" --timeout 2 'with another key'
