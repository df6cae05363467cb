# mosquitto's clients at the hub, with tokens by openssl: what the hub takes arrives, what it does not take ends the
# connection.
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
