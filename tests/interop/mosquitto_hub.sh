# mosquitto's clients at the hub, with tokens by openssl: what the hub takes arrives, what it does not take ends the
# connection; and what it has for a device comes, at QoS 1 and 0.
. "$(dirname "$0")/lib.bash"
start_emulator

# saw COMMAND PASSWORD OPTIONS...
saw() {
	timeout 20 "mosquitto_$1" -d --cafile "$HOLDFAST_TRUST" -h $hub -p 8883 -V mqttv311 -i saw-1 \
		-u "$hub/saw-1/?api-version=2021-04-12" -P "$2" "${@:3}"
}
events=devices/saw-1/messages/events

key=$(new_key)
enroll symmetric --registration-id saw-1 --symmetric-key - <<<"$key"
"$HOLDFAST_BIN/holdfast" register --registration-id saw-1 --symmetric-key <(echo "$key")
mine=$(token $hub/devices/saw-1 "$key")

saw pub "$mine" -q 1 -t "$events/%24.ct=application%2Fjson&%24.mid=m1&line=seven%20%26&empty=" -m '{"x":1}'
arrived saw-1 hub=$hub authMethod.type=sas body='{"x":1}' 'properties.line=seven &' properties.empty= \
	systemProperties.message-id=m1 systemProperties.content-type=application/json
saw pub "$mine" -q 0 -t $events/ -m 'at most once'
await 5 arrived saw-1 body='at most once'
saw pub "$mine" -q 1 -r -t $events/ -m kept
arrived saw-1 body=kept properties.mqtt-retain=true
saw pub "$(token $hub "$(tr ';' '\n' <<<"$HOLDFAST_HUB_SERVICE" | sed -n 's/^SharedAccessKey=//p')" iothubowner)" \
	-q 1 -t $events/ -m 'by policy'
arrived saw-1 body='by policy' authMethod.scope=hub
saw sub "$mine" -q 1 -t 'devices/saw-1/messages/devicebound/#' -E

refused 'connection was lost' saw pub "$mine" -q 2 -t $events/ -m 'exactly once'
refused 'connection was lost' saw pub "$mine" -q 1 -t devices/saw-2/messages/events/ -m "another's"
refused 'connection was lost' saw pub "$mine" -q 1 -t weather -m rain
refused 'not authorised' saw pub "$(token $hub/devices/saw-1 "$(new_key)")" -q 1 -t $events/ -m 'another key'
refused 'CONNACK (5)' saw pub "$(token $hub/devices/saw-1 "$key" '' -600)" -q 1 -t $events/ -m late
refused 'CONNACK (5)' saw pub "$(token $hub/devices/saw-2 "$key")" -q 1 -t $events/ -m 'another device'
is 4 "$(told events | wc -l)"

# Down: what waited comes, and what is sent to somebody who listens; completed at QoS 1 by its PUBACK, at QoS 0 when it is sent.
bound='devices/saw-1/messages/devicebound/#'
down() { told c2d saw-1 "$1" --message-id "id-$1" --property 'line=seven &' --ack positive >/dev/null; }
for qos in 1 0; do
	for filter in "$bound" 'devices/+/messages/devicebound/#'; do
		down waited
		saw sub "$mine" -q $qos -t "$filter" -C 2 -F '%q %t %p' >"$work/down" &
		listener=$!
		await 10 grep -q waited "$work/down"
		down listened
		wait $listener || fail "mosquitto_sub: $(cat "$work/down")"
		for body in waited listened; do
			grep -q "^$qos devices/saw-1/messages/devicebound/.*%24.mid=id-$body&.*line=seven%20%26&iothub-ack=positive $body\$" "$work/down" ||
				fail "not so: $(cat "$work/down")"
		done
		is 2 "$(grep -c "^$qos devices/" "$work/down")"
	done
done
# ... and nothing is left
refused '' saw sub "$mine" -q 1 -t "$bound" -C 1 -W 1
