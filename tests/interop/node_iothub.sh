# Microsoft's SDK for the owner of a hub: messages to devices, over AMQP and in a WebSocket, taken by ours and by Node's; how they ended, told
# back; and what is refused.
. "$(dirname "$0")/lib.bash"
start_emulator

key=$(new_key)
enroll symmetric --registration-id press-1 --symmetric-key - <<<"$key"
echo "$key" >"$work/key"
device=(--symmetric-key "$work/key" --registration-id press-1)
"$HOLDFAST_BIN/holdfast" register "${device[@]}" >/dev/null
device+=(--hub $hub --device-id press-1)

owner() { sdk iothub "$@"; }

# takes OPTIONS...: our device, and what it printed
takes() { timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --timeout 10 "$@"; }

# tells N MESSAGE=STATUS...: the owner hears of these, and of no others
tells() {
	local records line pair
	records=$(owner "$1" feedback $(($# - 1)) | grep originalMessageId) || fail "no feedback over $1"
	shift
	is $# "$(wc -l <<<"$records")"
	for pair in "$@"; do
		line=$(grep -F "\"originalMessageId\":\"id-${pair%=*}\"" <<<"$records") || fail "nothing of $pair: $records"
		is "${pair#*=} ${pair#*=} press-1" \
			"$(field statusCode <<<"$line") $(field description <<<"$line") $(field deviceId <<<"$line")"
		grep -qE '"deviceGenerationId":"[^"]+","deviceId":"press-1","enqueuedTimeUtc":"20[0-9T:.-]*Z"' <<<"$line" || fail "$line"
	done
}

for transport in amqp amqp-ws; do
	# ours, over each of its own transports, completes
	for mine in amqp amqp-ws mqtt mqtt-ws http; do
		owner $transport send press-1 "for $mine" none >/dev/null
		is "for $mine" "$(takes --hub-transport $mine --count 1)"
	done
	owner $transport send press-1 done positive >/dev/null
	takes --hub-transport amqp --json --count 1 >"$work/json"
	is 'id-done /devices/press-1/messages/devicebound positive' \
		"$(field message_id <"$work/json") $(field to <"$work/json") $(field ack <"$work/json")"
	is done "$(field properties.will <"$work/json")"
	owner $transport send press-1 silent negative >/dev/null # of which nothing is told
	is silent "$(takes --hub-transport mqtt --count 1)"
	owner $transport send press-1 never full >/dev/null
	takes --hub-transport amqp --answer reject --count 1 --timeout 2 >/dev/null || true
	owner $transport send press-1 late negative 1 >/dev/null # and nobody asks for it
	tells $transport done=Success never=Rejected late=Expired

	# Node's
	sdk hub amqp press-1 "$key" $hub 4 >"$work/out" 2>"$work/err" &
	node=$!
	await 20 grep -q listening "$work/out"
	for word in complete abandon reject; do
		owner $transport send press-1 $word full >/dev/null
	done
	wait $node || fail "$transport: $(cat "$work/err")"
	grep -qF '{"body":"reject","id":"id-reject","properties":{"will":"reject"}}' "$work/out" || fail "$(cat "$work/out")"
	tells $transport complete=Success abandon=Success reject=Rejected

	refused DeviceNotFoundError owner $transport send nobody hello
	refused MessageTooLargeError owner $transport large press-1 65537
	refused UnauthorizedError env "HOLDFAST_HUB_SERVICE=${HOLDFAST_HUB_SERVICE%SharedAccessKey=*}SharedAccessKey=$(new_key)" \
		node --no-deprecation "$here/iothub.js" $transport send press-1 hello
	refused UnauthorizedError env "HOLDFAST_HUB_SERVICE=HostName=$hub;SharedAccessKeyName=press-1;SharedAccessKey=$key" \
		node --no-deprecation "$here/iothub.js" $transport send press-1 hello
	owner $transport fill press-1 50 >/dev/null
	refused DeviceMaximumQueueDepthExceededError owner $transport send press-1 'the 51st'
	is 50 "$(takes --hub-transport http --count 50 | wc -l)"
done
