# Our client at a broker that is not ours: mosquitto, under the hub's name and port. It knows nothing of devices; so what the client says
# is seen as it is, and what comes down is what the broker was given.
. "$(dirname "$0")/lib.bash"
mosquitto=$here/../../build-broker/usr/sbin/mosquitto
[ -x "$mosquitto" ] || fail "there is no mosquitto; ./dev test fetches it"

authority ca
issued $hub ca critical,CA:FALSE
ip link set lo up
printf '127.0.0.1 localhost %s\n' $hub >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
cat >"$work/broker.conf" <<-CONF
	user $(id -un)
	listener 8883 127.0.0.1
	certfile $work/$hub.pem
	keyfile $work/$hub.key
	allow_anonymous true
	log_dest stderr
	log_type all
CONF
"$mosquitto" -c "$work/broker.conf" >"$work/broker.log" 2>&1 &
helpers+=($!)
export HOLDFAST_TRUST=$work/ca.pem

# saw COMMAND OPTIONS...: mosquitto's own clients
saw() { timeout 20 "mosquitto_$1" --cafile "$HOLDFAST_TRUST" -h $hub -V mqttv311 "${@:2}"; }
await 10 saw pub -p 8883 -i first -t any -m any

new_key >"$work/key"
device=(--symmetric-key "$work/key" --hub $hub --device-id down-1)
bound=devices/down-1/messages/devicebound

# Up: the topic, and the bytes.
saw sub -p 8883 -i watcher -q 1 -t '#' -F '%t %p' -C 1 >"$work/seen" &
watcher=$!
await 10 grep -q 'watcher 1 #' "$work/broker.log"
"$HOLDFAST_BIN/holdfast" send "${device[@]}" --property 'line=seven &' 'up it goes'
wait $watcher
is "devices/down-1/messages/events/line=seven%20%26 up it goes" "$(cat "$work/seen")"
"$HOLDFAST_BIN/holdfast" send "${device[@]}" --early --count 100 'and again'

# Down: what waits in the device's session, and what comes while it listens; in order, and each once.
timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --timeout 2
for i in 1 2 3; do
	saw pub -p 8883 -i owner -q 1 -t "$bound/%24.mid=m$i&%24.to=%2Fdevices%2Fdown-1&iothub-ack=full&line=a%3Db&empty=" -m "waits-$i"
done
timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --json --count 3 >"$work/down"
for i in 1 2 3; do
	is "{\"body\":\"waits-$i\",\"message_id\":\"m$i\",\"to\":\"/devices/down-1\",\"ack\":\"full\",\"properties\":{\"line\":\"a=b\",\"empty\":\"\"}}" \
		"$(sed -n ${i}p "$work/down" | tr -d ' ')"
done
is '' "$(timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --timeout 1)"
timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --json --count 2 >"$work/down" &
receiver=$!
await 10 sh -c "[ \$(grep -c 'down-1 1 $bound/#' '$work/broker.log') -ge 4 ]"
printf '\377\000' >"$work/binary"
saw pub -p 8883 -i owner -q 1 -t "$bound/" -f "$work/binary"
saw pub -p 8883 -i owner -q 0 -t "$bound/line=x" -m 'at most once'
wait $receiver
is '{"body_base64":"/wA=","properties":{}}' "$(sed -n 1p "$work/down")"
is 'at most once' "$(sed -n 2p "$work/down" | field body)"

# What could not be written is not settled, and comes again.
saw pub -p 8883 -i owner -q 1 -t "$bound/" -m precious
refused 'could not be written' sh -c "timeout 20 '$HOLDFAST_BIN/holdfast' receive ${device[*]} --count 1 >/dev/full"
is precious "$(timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --count 1)"

# The end of the connection is told, and it is made again.
timeout 20 "$HOLDFAST_BIN/holdfast" receive "${device[@]}" --count 1 >"$work/down" 2>"$work/err" &
receiver=$!
sleep 0.5
kill "${helpers[0]}"
await 10 grep -q 'closed the connection' "$work/err"
"$mosquitto" -c "$work/broker.conf" >>"$work/broker.log" 2>&1 &
helpers[0]=$!
await 10 saw pub -p 8883 -i owner -q 1 -t "$bound/" -m 'after the night' -r
wait $receiver
is 'after the night' "$(cat "$work/down")"
