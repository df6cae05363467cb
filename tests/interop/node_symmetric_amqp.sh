# A device with a symmetric key, by Microsoft's SDK for Node: DPS over AMQP, and over AMQP in a WebSocket.
. "$(dirname "$0")/lib.bash"
start_emulator

key=$(new_key)
enroll symmetric --registration-id press-1 --device-id press-one --symmetric-key - <<<"$key"
for transport in amqp amqp-ws; do
	is press-one "$(sdk device $transport symmetric press-1 "$key" | field deviceId)"
	grep -q "DPS over AMQP, registration press-1: assigned" "$work/emulator.log" || fail "not over AMQP"
	refused 401002 sdk device $transport symmetric press-1 "$(new_key)"
	refused 401002 sdk device $transport symmetric press-2 "$key"
done
is 2 "$(told events --device press-one | grep -c '"body":"{\\"from\\":\\"symmetric\\"}"')"
