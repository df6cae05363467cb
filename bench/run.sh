#!/usr/bin/env bash
# Figures, each beside a floor measured in the same run; README.md says how to read them.
# Programs are those of build-bench, made by ./dev bench. Loopback only; what is started here is ended here.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
bin=$PWD/build-bench/bin
small=$PWD/build-bench-x509/bin
export LC_ALL=C.UTF-8
unset "${!HOLDFAST_@}"

dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-bench.XXXXXX")
pids=()
end() {
	local status=$?
	trap - EXIT
	[ $status = 0 ] || tail -n 5 "$dir"/*.log >&2
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir"
	exit $status
}
trap end EXIT
trap 'exit 1' INT TERM

die() { echo "bench: $*" >&2; exit 1; }
head() { printf '\n%-58s %13s %13s %7s\n' "$1" figure "${2:-floor}" ratio; }
row() { # row WHAT FIGURE FLOOR
	awk -v what="$1" -v figure="$2" -v floor="$3" \
		'BEGIN { printf "  %-56s %13s %13s %7s\n", what, figure, floor, (floor > 0 ? sprintf("%.2f", figure / floor) : "-") }'
}
over() { awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { exit !(a > b * most) }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
field() { awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) print $(i + 1) }'; }

await() { # await PID FILE: until there is something in it
	local i
	for ((i = 0; i < 100; i++)); do
		[ ! -s "$2" ] || return 0
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	die "$2: what was to be in it did not come"
}

# instructions NAME PROGRAM...: how many this process executes, all its threads together
instructions() {
	local name=$1
	shift
	valgrind -q --tool=callgrind --callgrind-out-file="$dir/$name.callgrind" "$@" >"$dir/$name.out" 2>"$dir/$name.log"
	sed -n 's/^totals: //p; s/^summary: //p' "$dir/$name.callgrind" | tail -n 1
}

# own WEIGHT NAME: each function's own instructions
own() {
	callgrind_annotate --auto=no --threshold=100 "$dir/$2.callgrind" |
		sed -nE '/PROGRAM TOTALS/d; s/^ *([0-9,]+) \([^)]*\)  ([^ ].*)$/\1 \2/p' |
		sed -E 's/^([0-9,]+) (.*\/)?([^/]+:.*)/\1 \3/; s/ \[.*\/([^/]+)\]$/ (\1)/' |
		awk -v weight="$1" '{ gsub(",", "", $1); $1 = sprintf("%.0f", $1 * weight); print }'
}

# Where what is above the floor goes. rest DIVISOR WEIGHT NAME...: what is counted, and with a weight below 0 taken off
rest() {
	local per=$1
	shift
	echo "    what is above the floor, by function (its own instructions):"
	while [ $# -gt 0 ]; do
		own "$1" "$2"
		shift 2
	done | awk -v per="$per" '{ n = $1; $1 = ""; sum[$0] += n } END { for (name in sum) printf "%d%s\n", sum[name] / per, name }' |
		sort -rn | awk 'NR <= 15 { n = $1; $1 = ""; printf "    %13d %s\n", n, $0 }'
}

emulator_options=(--mqtt-port 0 --https-port 0 --amqp-port 0 --retry-after 1 --hub 127.0.0.2 --quiet)
# start_emulator [NAME [OPTIONS...]]: the variables then lead to it
start_emulator() {
	local name=${1:-emulator}
	"$bin/holdfast-emulator" --data "$dir/$name" "${emulator_options[@]}" "${@:2}" \
		>"$dir/$name.ready" 2>"$dir/$name.log" &
	pids+=($!)
	await $! "$dir/$name.ready"
	use_emulator "$name"
	"$bin/holdfast" enroll group-x509 --registration-id bench --cert "$dir/device/ca.pem" --quiet >/dev/null
	"$bin/holdfast" enroll group-symmetric --registration-id meters --symmetric-key "$dir/meters.key" --quiet >/dev/null
}

use_emulator() {
	eval "$("$bin/holdfast-emulator" --data "$dir/$1" env)"
	mqtt=$(sed -n 's/.* MQTT port \([0-9]*\),.*/\1/p' "$dir/$1.ready")
}

start_sink() { # start_sink [NAME [lean]]
	local said=$dir/${1:-sink}.ready
	"$bin/bench-sink" "$dir/device/ca.pem" "$dir/device/server.pem" "$dir/device/server.key" "${@:2}" >"$said" 2>"$dir/${1:-sink}.log" &
	pids+=($!)
	await $! "$said"
	sink=$(cat "$said")
}

start_mosquitto() {
	local i
	for ((i = 0; i < 20; i++)); do
		broker=$((20000 + RANDOM % 10000))
		cat >"$dir/mosquitto.conf" <<-CONF
			user $(id -un)
			listener $broker 127.0.0.1
			cafile $dir/device/ca.pem
			certfile $dir/device/server.pem
			keyfile $dir/device/server.key
			require_certificate true
			allow_anonymous true
			max_inflight_messages 0
			max_queued_messages 0
			set_tcp_nodelay true
			log_dest stderr
			log_type error
		CONF
		build-broker/usr/sbin/mosquitto -c "$dir/mosquitto.conf" >"$dir/mosquitto.log" 2>&1 &
		pids+=($!)
		sleep 0.3
		! kill -0 $! 2>/dev/null || return 0
	done
	die "mosquitto does not start: $(cat "$dir/mosquitto.log")"
}

identity() { common=("trust=$HOLDFAST_TRUST" "connect=$HOLDFAST_CONNECT" "cert=$dir/device/%d.pem" "key=$dir/device/%d.key"); }
floor() { # floor WHAT COUNT [PORT CA]
	"$bin/bench-floor" "$1" 127.0.0.1 "${3:-$mqtt}" "${4:-$HOLDFAST_TRUST}" "$dir/device/0.pem" "$dir/device/0.key" "$2"
}

onboarding() {
	local dps=("${common[@]}" "id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT") figure floor i above=0
	local bare=("$bin/bench-floor" handshakes 127.0.0.1 "$mqtt" "$HOLDFAST_TRUST" "$dir/device/0.pem" "$dir/device/0.key" 2)
	head "start to first acknowledged telemetry (X.509, MQTT)" "2 handshakes"
	"$bin/bench-device" onboard "${dps[@]}" >/dev/null
	figure=$(instructions onboard "$bin/bench-device" onboard "${dps[@]}")
	floor=$(instructions handshakes "${bare[@]}")
	row "instructions" "$figure" "$floor"
	over "$figure" "$floor" 1.3 && above=1
	for i in 1 2 3 4 5 6 7 8 9; do
		"$bin/bench-device" onboard "${dps[@]}" >>"$dir/onboard.cpu"
		"${bare[@]}" >>"$dir/handshakes.cpu"
	done
	figure=$(field cpu <"$dir/onboard.cpu" | median)
	floor=$(field cpu <"$dir/handshakes.cpu" | median)
	row "CPU, microseconds (median of 9)" "$figure" "$floor"
	over "$figure" "$floor" 1.3 && above=1
	[ $above = 0 ] || rest 1 1 onboard -1 handshakes
}

slope() { # slope NAME COUNT PROGRAM... (COUNT stands for @): instructions for one more
	local name=$1 count=$2 one two
	shift 2
	one=$(instructions "$name-1" "${@/@/$count}")
	two=$(instructions "$name-2" "${@/@/$((2 * count))}")
	echo $(((two - one) / count))
}

telemetry() {
	local hub=("${common[@]}" "hub=127.0.0.2" "device-id=bench-%d") floor figure way window count what weight
	head "instructions for a telemetry message (100 bytes, QoS 1)" "SSL_write"
	floor=$(slope write 2000 "$bin/bench-floor" write 127.0.0.1 "$sink" "$dir/device/ca.pem" "$dir/device/0.pem" "$dir/device/0.key" @)
	for way in "1 500 1_under_way" "100 2000 100_under_way" "1000 5000 1,000_under_way" "1000000 6000 6,000_queued"; do
		read -r window count what <<<"$way"
		figure=$(slope "send-$window" "$count" "$bin/bench-device" send @ "$window" "${hub[@]}")
		row "${what//_/ }" "$figure" "$floor"
		! over "$figure" "$floor" 3 || {
			weight=$(awk -v n="$count" 'BEGIN { print n / 2000 }')
			rest "$count" 1 "send-$window-2" -1 "send-$window-1" "-$weight" write-2 "$weight" write-1
		}
	done
}

at_rest() {
	local hub=("${common[@]}" "hub=127.0.0.2" "device-id=bench-%d") said figure
	head "at rest" "floor"
	said=$("$bin/bench-device" idle 20 "${hub[@]}")
	figure=$(awk '{ printf "%.2f", $2 * 3 + 2 * 60000 / $4 }' <<<"$said")
	row "wake-ups in a minute (floor: a PING in 240 s, answered)" "$figure" 0.50
}

memory() {
	local dps=("${common[@]}" "id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT") figure floor
	head "memory, KiB" "OpenSSL"
	figure=$("$bin/bench-device" memory 100 "${dps[@]}")
	floor=$(floor hold 100)
	row "resident, one device connected" "$(field resident <<<"$figure")" "$(field resident <<<"$floor")"
	row "of it private" "$(field private <<<"$figure")" "$(field private <<<"$floor")"
	row "each further device in the process (100 of them)" "$(field further <<<"$figure")" "$(field further <<<"$floor")"
	cp "$small/bench-device" "$small/bench-floor" "$dir"
	strip "$dir/bench-device" "$dir/bench-floor"
	row "stripped program, MQTT with X.509" "$(($(stat -c %s "$dir/bench-device") / 1024))" "$(($(stat -c %s "$dir/bench-floor") / 1024))"
}

# Rates swing with the machine: figure and floor take turns, and the best of each counts.
best() { sort -n | tail -n 1; }

emulator() {
	local load=("$bin/bench-load" "$dir/device") figures=() floors=() i
	head "the emulator" "floor"
	for i in 1 2; do
		floors+=("$("${load[@]}" "$dir/device/ca.pem" "$sink" handshakes 1000 500)")
		figures+=("$("${load[@]}" "$HOLDFAST_TRUST" "$mqtt" register 1500 500 "$HOLDFAST_ID_SCOPE")")
	done
	row "registrations a second, 500 at once (bare handshakes)" "$(printf '%s\n' "${figures[@]}" | best)" \
		"$(printf '%s\n' "${floors[@]}" | best)"
	start_mosquitto
	figures=() floors=()
	for i in 1 2 3; do
		floors+=("$("${load[@]}" "$dir/device/ca.pem" "$broker" telemetry 50 20 2000 -)")
		figures+=("$("${load[@]}" "$HOLDFAST_TRUST" "$mqtt" telemetry 50 20 2000 127.0.0.2)")
	done
	row "telemetry a second, stored before PUBACK (mosquitto)" "$(printf '%s\n' "${figures[@]}" | best)" \
		"$(printf '%s\n' "${floors[@]}" | best)"
}

start_swtpm() { # start_swtpm FOLDER: its socket is FOLDER.sock
	local i
	swtpm socket --tpm2 --tpmstate dir="$1" --flags not-need-init,startup-clear \
		--server type=unixio,path="$1.sock" --ctrl type=unixio,path="$1.sock.ctrl" >"$1.log" 2>&1 &
	pids+=($!)
	for ((i = 0; i < 50; i++)); do
		[ ! -S "$1.sock" ] || return 0
		sleep 0.1
	done
	die "swtpm does not start"
}

tpm() {
	mkdir "$dir/tpm"
	start_swtpm "$dir/tpm"
	"$bin/bench-tpm" "tpm=swtpm:path=$dir/tpm.sock" "trust=$HOLDFAST_TRUST" "connect=$HOLDFAST_CONNECT" \
		"id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT" >"$dir/tpm.counted"
	printf '\nTPM commands (a tap between the library and the TPM counts)\n'
	awk '/^first-token/ || seen[$1]++ { next }
		{ printf "  %-12s %3d commands, %d RSA private operations:", $1, $3, $5
		for (i = 6; i < NF; i += 2) printf " %d %s", $(i + 1), $i
		print "" }' "$dir/tpm.counted"
	printf '\n%-30s %15s %15s %15s\n' "which would take, in ms, on" onboarding "SAS renewal" "first boot"
	awk -F '\t' 'NR == FNR { n = split($0, w, " "); what = w[1]; for (i = 2; i < n; i += 2) c[what, w[i]] = w[i + 1]; next }
		/^#/ { next } $1 == "chip" { for (i = 1; i <= NF; i++) at[$i] = i; next }
		function cost(what,  hmac, rsa, store, made, other) {
			hmac = c[what, "HMAC"]; store = c[what, "EvictControl"]; made = c[what, "CreatePrimary"]; rsa = c[what, "rsa"]
			other = c[what, "commands"] - hmac - store - made - rsa
			return hmac * $at["hmac"] + rsa * $at["rsa"] + store * $at["store"] + made * $at["rsa-key"] + other * $at["random"]
		}
		{ printf "  %-28s %15.0f %15.0f %15.0f\n", $1, cost("onboarding"), cost("renewal"), cost("first-boot") }' \
		"$dir/tpm.counted" bench/tpm-times.tsv
}

# Two TPMs with the same keys (one speaks with one program at a time), and a token with the software keys.
make_keys() {
	local keys=$dir/keys tcti=swtpm:path=$dir/keys/tpm.sock pid module=/usr/lib/softhsm/libsofthsm2.so kind
	mkdir -p "$keys/tpm" "$keys/tokens"
	cp "$dir/device/ca.pem" "$dir/device/server.pem" "$dir/device/server.key" "$keys"
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$keys/ec.key"
	openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$keys/rsa.key"
	start_swtpm "$keys/tpm"
	pid=$!
	tpm2_createprimary -Q -T "$tcti" -C o -G ecc -c "$keys/primary"
	for kind in "ecc ec 0x81000201" "rsa rsa 0x81000202"; do
		read -r -a kind <<<"$kind"
		tpm2_flushcontext -T "$tcti" -t
		tpm2_import -Q -T "$tcti" -C "$keys/primary" -G "${kind[0]}" -i "$keys/${kind[1]}.key" -u "$keys/pub" -r "$keys/priv"
		tpm2_flushcontext -T "$tcti" -t
		tpm2_load -Q -T "$tcti" -C "$keys/primary" -u "$keys/pub" -r "$keys/priv" -c "$keys/key"
		tpm2_evictcontrol -Q -T "$tcti" -C o -c "$keys/key" "${kind[2]}"
	done
	tpm2_flushcontext -T "$tcti" -t
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	cp -r "$keys/tpm" "$keys/tpm-raw"
	start_swtpm "$keys/tpm"
	start_swtpm "$keys/tpm-raw"
	printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$keys/tokens" >"$keys/softhsm.conf"
	export SOFTHSM2_CONF=$keys/softhsm.conf
	softhsm2-util --init-token --free --label bench --so-pin 0000 --pin 1234
	softhsm2-util --import "$keys/ec.key" --token bench --label ec --id 01 --pin 1234
	softhsm2-util --import "$keys/rsa.key" --token bench --label rsa --id 02 --pin 1234
}

keys() {
	local keys=$dir/keys tcti=swtpm:path=$dir/keys/tpm.sock module=/usr/lib/softhsm/libsofthsm2.so pin name uri
	make_keys >"$dir/keys.log" 2>&1
	printf 1234 >"$keys/pin"
	pin="module-path=$module&pin-source=file:$keys/pin"
	while read -r name uri; do
		TPM2OPENSSL_TCTI=$tcti BENCH_RAW_TCTI=swtpm:path=$keys/tpm-raw.sock BENCH_RAW_MODULE=$module \
			"$bin/bench-keys" "$keys" "${name//_/ }" "$uri" >>"$keys/figures" 2>"$dir/keys.log"
	done <<-ROWS
		file_EC file:$keys/ec.key
		file_RSA file:$keys/rsa.key
		tpm2_EC tpm2:handle=0x81000201?tcti=$tcti
		tpm2_RSA tpm2:handle=0x81000202?tcti=$tcti
		pkcs11_EC pkcs11:token=bench;object=ec?$pin
		pkcs11_RSA pkcs11:token=bench;object=rsa?$pin
		engine:pkcs11_EC engine:pkcs11:pkcs11:token=bench;object=ec?pin-source=$keys/pin
		provider:tpm2_EC provider:tpm2:handle:0x81000201
		hsm:_EC_(version_2,_signs) hsm:$bin/bench-vendor.so
	ROWS
	printf '\n%-38s %35s   %35s\n' "" "CPU of the client, microseconds" "by the clock, microseconds"
	printf '%-38s' "a TLS 1.3 handshake with a key"
	printf ' %8s %8s %8s %8s  ' ours floor ratio best ours floor ratio best
	printf '\n'
	awk -F '\t' 'function put() { printf " %8.0f %8.0f %8.2f %8.2f  ", $3, $4, $3 / $4, $5 / $6 }
		$2 == "cpu" { printf "  %-36s", $1; put() } $2 == "wall" { put(); print "" }' "$keys/figures"
	printf '\n%-58s %13s %13s %7s %7s\n' "signatures a second" ours "the backend's" ratio best
	awk -F '\t' '$2 == "sign" { printf "  %-56s %13.0f %13.0f %7.2f %7.2f\n", $1, 1e6 / $3, 1e6 / $4, $4 / $3, $6 / $5 }' "$keys/figures"
}

. bench/trips.sh
. bench/ways.sh

# All of it, or these.
sections=("$@")
[ $# -gt 0 ] || sections=(onboarding telemetry at_rest memory emulator tpm keys trips messages idle sizes)
began=$SECONDS
mkdir "$dir/device"
"$bin/bench-mint" "$dir/device" 2000
command head -c 32 /dev/urandom | base64 >"$dir/meters.key"
start_emulator
identity
start_sink
for section in "${sections[@]}"; do
	"$section"
done
printf '\n%d s\n' $((SECONDS - began))
