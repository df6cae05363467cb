# A device with a symmetric key, by Microsoft's SDK for Node: DPS over MQTT, and over MQTT in a WebSocket, then the hub.
. "$(dirname "$0")/lib.bash"
start_emulator

key=$(new_key)
for transport in mqtt mqtt-ws; do
	enroll symmetric --registration-id press-$transport --device-id over-$transport --symmetric-key - <<<"$key"
	is over-$transport "$(sdk device $transport symmetric press-$transport "$key" | field deviceId)"
	arrived over-$transport hub=$hub authMethod.scope=device authMethod.type=sas body='{"from":"symmetric"}' \
		'properties.line=seven & a half' 'properties.größe%=5 µm/Ω = 5' systemProperties.message-id=first \
		systemProperties.content-type=application/json systemProperties.content-encoding=utf-8

	refused 401002 sdk device $transport symmetric press-$transport "$(new_key)"
	refused 401002 sdk device $transport symmetric press-2 "$key"
done
