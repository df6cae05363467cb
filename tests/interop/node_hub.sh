# Microsoft's SDK for Node at the hub, over each transport: telemetry, alone and in a batch, and messages to the device, completed,
# abandoned and rejected where the transport has words for it.
. "$(dirname "$0")/lib.bash"
start_emulator

key=$(new_key)
enroll symmetric --registration-id press-1 --symmetric-key - <<<"$key"
is press-1 "$(sdk device mqtt symmetric press-1 "$key" | field deviceId)"

# down WORD: a message that says what is to be done with it
down() {
	told c2d press-1 "$1" --message-id "id-$1" --property "will=$1" >/dev/null
}

# came N BODY: line N of what came is that message
came() {
	is "{\"body\":\"$2\",\"id\":\"id-$2\",\"properties\":{\"will\":\"$2\"}}" "$(sed -n "$1p" "$work/out")"
}

for transport in mqtt mqtt-ws amqp amqp-ws http; do
	words=(complete) count=1
	case $transport in mqtt*) ;; *) words=(complete abandon reject) count=4 ;; esac
	sdk hub "$transport" press-1 "$key" $hub $count >"$work/out" 2>"$work/err" &
	device=$!
	await 20 grep -q listening "$work/out"
	for word in "${words[@]}"; do
		down "$word"
	done
	wait $device || fail "$transport: $(cat "$work/err")"
	sed -i "/listening\|undefined/d" "$work/out"
	came 1 complete
	[ $count = 1 ] || is "abandon abandon complete reject " "$(sed 's/.*"body":"\([a-z]*\)".*/\1/' "$work/out" | sort | tr '\n' ' ')"
	arrived press-1 "systemProperties.message-id=one-$transport" "properties.line=seven & a half" authMethod.type=sas \
		systemProperties.content-type=application/json
	[ $transport != http ] || arrived press-1 "body={\"from\":\"three-$transport\"}" "properties.line=seven & a half"
	# nothing is left
	! "$HOLDFAST_BIN/holdfast" receive --symmetric-key <(echo "$key") --registration-id press-1 --hub $hub --device-id press-1 \
		--count 1 --timeout 1 >"$work/left" 2>&1 || fail "$transport: a message is left: $(cat "$work/left")"
done

# A batch as the C SDK writes one: all of it arrives, or nothing.
is '["accepted","com.microsoft:argument-error"]' "$(sdk batch press-1 $hub "$(token "$hub/devices/press-1" "$key")")"
arrived press-1 'body=in a batch' systemProperties.message-id=batch-1 properties.line=seven properties.empty= systemProperties.dt-subject=thermostat
arrived press-1 body=second
arrived press-1 body=third systemProperties.message-id=b3
! arrived press-1 body=fourth 2>/dev/null || fail "a part of a batch has arrived"
