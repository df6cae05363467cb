# A device with a symmetric key, by Microsoft's SDK for Node: DPS over MQTT, then the hub.
. "$(dirname "$0")/lib.bash"
start_emulator

key=$(new_key)
enroll symmetric --registration-id press-1 --device-id press-one --symmetric-key - <<<"$key"
is press-one "$(sdk device mqtt symmetric press-1 "$key" | field deviceId)"
arrived press-one hub=$hub authMethod.scope=device authMethod.type=sas body='{"from":"symmetric"}' \
	'properties.line=seven & a half' 'properties.größe%=5 µm/Ω = 5' systemProperties.message-id=first \
	systemProperties.content-type=application/json systemProperties.content-encoding=utf-8

refused 401002 sdk device mqtt symmetric press-1 "$(new_key)"
refused 401002 sdk device mqtt symmetric press-2 "$key"
