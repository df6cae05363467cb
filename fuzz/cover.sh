#!/usr/bin/env bash
# What the committed corpora reach: each harness in turn, and how many lines of the files that it is there for.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-cover}
least=80 bad=0

under_test() {
	case $1 in
	amqp) echo src/amqp/amqp.c src/amqp/frame.c src/amqp/sasl.c ;;
	connection) echo src/dps/connection.c ;;
	custom) echo src/hsm/custom{,_key,_library,_sign,_symkey,_tpm,_x509}.c src/hsm/pem.c ;;
	dps) echo src/msg/dps.c src/msg/dps_mqtt.c src/msg/dps_http.c ;;
	dps_amqp) echo src/msg/dps_amqp.c src/amqp/message.c src/amqp/cbs.c ;;
	enrollment) echo emulator/enrollment.c emulator/enrollment_show.c ;;
	http) echo src/http/message.c src/http/session.c ;;
	hub) echo src/msg/hub.c src/msg/hub_mqtt.c ;;
	hub_http) echo src/msg/hub_http.c src/msg/target.c ;;
	hub_amqp) echo src/msg/hub_amqp.c src/amqp/value.c ;;
	json) echo src/base/json.c ;;
	mqtt) echo src/mqtt/packet.c src/mqtt/session.c ;;
	pkcs11) echo src/hsm/pkcs11_object.c src/hsm/pubkey.c ;;
	proxy) echo src/stream/proxy.c src/stream/net_proxy.c src/stream/ask.c ;;
	sas) echo src/msg/sas.c ;;
	sasl_tpm) echo src/amqp/sasl_tpm.c ;;
	state) echo src/dps/state.c ;;
	tpm_blob) echo src/msg/tpm.c ;;
	tpm_parcel) echo src/hsm/tpm2_parcel.c ;;
	tss2_pem) echo src/hsm/tpm2_pem.c ;;
	uri) echo src/hsm/uri.c ;;
	url_b64) echo src/base/url.c src/base/b64.c src/base/str.c ;;
	ws) echo src/stream/ws.c ;;
	*) echo "fuzz/cover.sh: which files is fuzz_$1 there for?" >&2; return 1 ;;
	esac
}

objects() { # objects FILE: the folder of its object, where gcov's files are
	case $1 in
	src/*) dirname "$build/src/CMakeFiles/hf_objects.dir/${1#src/}" ;;
	*) dirname "$build/emulator/CMakeFiles/emulator_objects.dir/${1#*/}" ;;
	esac
}

count() { # count FILE: lines reached, lines, percent
	gcovr --root . --filter "$1\$" --object-directory "$build" "$(objects "$1")" --csv |
		awk -F, 'NR == 2 {printf "%d %d %d\n", $3, $2, $3 * 100 / $2}'
}

for harness in "$build"/bin/fuzz_*; do
	name=${harness##*/fuzz_}
	files=$(under_test "$name")
	find "$build" -name '*.gcda' -delete
	"$harness" fuzz/corpus/"$name"/*
	for file in $files; do
		read -r reached all percent < <(count "$file")
		printf '%-11s %-27s %4d of %4d lines, %3d %%' "$name" "$file" "$reached" "$all" "$percent"
		if [ "$percent" -lt $least ]; then
			printf ': less than %d' $least
			bad=1
		fi
		echo
	done
done
exit $bad
