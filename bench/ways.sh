# Each transport of the hub beside a bare TLS connection: messages, idle connections; and how large programs are. Of run.sh.

# counted_server NAME PROGRAM...: a server whose instructions are counted; what it prints is in NAME.ready
counted_server() {
	local name=$1
	shift
	valgrind -q --tool=callgrind --callgrind-out-file="$dir/$name.callgrind" "$@" >"$dir/$name.ready" 2>"$dir/$name.log" &
	pids+=($!)
	await $! "$dir/$name.ready"
	served=$!
}

# spent NAME: the instructions of the server since it was asked last
spent() {
	local file=
	callgrind_control --dump "$served" >/dev/null 2>&1
	while [ -z "$file" ] || ! grep -q '^totals:' "$file"; do
		file=$(find "$dir" -name "$1.callgrind.*" | sort -t . -k 3n | tail -n 1)
		sleep 0.1
	done
	sed -n 's/^totals: //p' "$file"
	rm "$file"
}

serving() { # serving NAME COUNT PROGRAM... (COUNT stands for @): the server's instructions for one more
	local name=$1 count=$2 one
	shift 2
	"${@/@/$count}" >/dev/null
	spent "$name" >/dev/null
	"${@/@/$count}" >/dev/null
	one=$(spent "$name")
	"${@/@/$((3 * count))}" >/dev/null
	echo $((($(spent "$name") - one) / (2 * count)))
}

rows() { # rows WHAT FLOOR-NAME FLOOR FIGURE...: of every transport
	local floor=$3 t
	head "$1" "$2"
	shift 3
	for t in "${ways[@]}"; do
		row "$t" "$1" "$floor"
		shift
	done
}

messages() {
	local rates=() clients=() servers=() rate client server t i
	local hub=("trust=$HOLDFAST_TRUST" "cert=$dir/device/0.pem" "key=$dir/device/0.key" "hub=127.0.0.2" "device-id=bench-0")
	local bare=("$dir/device/ca.pem" "$dir/device/0.pem" "$dir/device/0.key")
	"$bin/bench-device" onboard "${common[@]}" "id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT" >/dev/null
	client=$(slope write 2000 "$bin/bench-floor" write 127.0.0.1 "$sink" "${bare[@]}" @)
	rate=$(for i in 1 2 3; do "$bin/bench-floor" write 127.0.0.1 "$sink" "${bare[@]}" 200000; done | field rate | best)
	for t in "${ways[@]}"; do
		rates+=("$(for i in 1 2 3; do "$bin/bench-device" send 20000 100 "${hub[@]}" "connect=$HOLDFAST_CONNECT" "hub-transport=$t"; done |
			field rate | best)")
		clients+=("$(slope "way-$t" 2000 "$bin/bench-device" send @ 100 "${hub[@]}" "connect=$HOLDFAST_CONNECT" "hub-transport=$t")")
	done
	counted_server sunk "$bin/bench-sink" "$dir/device/ca.pem" "$dir/device/server.pem" "$dir/device/server.key"
	server=$(serving sunk 2000 "$bin/bench-floor" write 127.0.0.1 "$(cat "$dir/sunk.ready")" "${bare[@]}" @)
	kill "$served"
	cp -r "$dir/emulator" "$dir/counted"
	counted_server counted "$bin/holdfast-emulator" --data "$dir/counted" "${emulator_options[@]}"
	use_emulator counted
	for t in "${ways[@]}"; do
		servers+=("$(serving counted 2000 "$bin/bench-device" send @ 100 "${hub[@]}" "connect=$HOLDFAST_CONNECT" "hub-transport=$t")")
	done
	kill "$served"
	use_emulator emulator
	rows "client's instructions for a message, 100 under way" SSL_write "$client" "${clients[@]}"
	rows "emulator's instructions for a message" SSL_read "$server" "${servers[@]}"
	rows "messages a second, one device, stored" SSL_write "$rate" "${rates[@]}"
}

resident() { awk -v what="$2:" '$1 == what { print $2 }' "/proc/$1/status"; } # resident PID VmRSS|VmHWM: KiB

# held PID PROGRAM...: what the server's memory grows by while the program holds its connections, KiB
held() {
	local pid=$1 before
	shift
	before=$(resident "$pid" VmRSS)
	mkfifo "$dir/end"
	"$@" <"$dir/end" >"$dir/held" 2>"$dir/held.log" &
	pids+=($!)
	exec 9>"$dir/end"
	for ((i = 0; i < 1200; i++)); do
		[ ! -s "$dir/held" ] || break
		kill -0 $! 2>/dev/null || die "connections are not held: $(cat "$dir/held.log")"
		sleep 0.1
	done
	echo $(($(resident "$pid" VmRSS) - before))
	exec 9>&-
	wait $! || true
	rm "$dir/end" "$dir/held"
}

# A device's connection, which says nothing. Each is held at a server that has just begun.
idle() {
	local n=2000 t floor before pid sink
	local meters=("group-key=$dir/meters.key" "registration-id=meter-%d" "device-id=meter-%d")
	"$bin/bench-device" hold $n "${meters[@]}" "trust=$HOLDFAST_TRUST" "connect=$HOLDFAST_CONNECT" "id-scope=$HOLDFAST_ID_SCOPE" \
		"endpoint=$HOLDFAST_ENDPOINT" </dev/null >/dev/null
	start_sink idle-sink lean
	pid=$!
	before=$(resident "$pid" VmHWM)
	floor hold $((n - 1)) "$sink" "$dir/device/ca.pem" >/dev/null
	floor=$(awk -v n=$n -v kib=$(($(resident "$pid" VmHWM) - before)) 'BEGIN { printf "%.1f", kib / n }')
	head "memory of the emulator for an idle connection, KiB ($n)" "bare TLS"
	for t in mqtt mqtt-ws amqp amqp-ws; do
		cp -r "$dir/emulator" "$dir/idle-$t"
		start_emulator "idle-$t"
		pid=$!
		held "$pid" "$bin/bench-device" hold $n "${meters[@]}" "trust=$HOLDFAST_TRUST" "connect=$HOLDFAST_CONNECT" "hub=127.0.0.2" "hub-transport=$t" >"$dir/grown"
		row "$t" "$(awk -v n=$n '{ printf "%.1f", $1 / n }' "$dir/grown")" "$floor"
		kill "$pid"
	done
	use_emulator emulator
}

size_of() { # size_of FOLDER: of the stripped program that sends telemetry, KB
	strip -o "$dir/sample" "$1/bench-sample"
	awk -v n="$(stat -c %s "$dir/sample")" 'BEGIN { printf "%.0f", n / 1000 }'
}

# Not a floor, but what there was before: Microsoft's C SDK 1.14, its telemetry sample.
sizes() {
	local beside
	head "stripped program that sends telemetry, KB" "C SDK"
	row "MQTT and symmetric keys alone" "$(size_of "$PWD/build-bench-mqtt/bin")" 378
	beside=$(readelf -d "$dir/sample" | sed -n 's/.*NEEDED.*\[\(.*\)\]$/\1/p' | grep -vE '^(libssl|libcrypto|libc|libpthread|ld-linux.*)\.so' || true)
	[ -z "$beside" ] || die "the least program wants more than OpenSSL: $beside"
	row "everything" "$(size_of "$bin")" 473
}
