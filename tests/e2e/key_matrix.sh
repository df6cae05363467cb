#!/usr/bin/env bash
# Every kind of key, in TLS 1.2 and 1.3, with a certificate that it has signed itself (individual) and one of a CA (group): each registers,
# and its message is stored. Then openssl's own server looks at the certificates of two keys in hardware.
. "$(dirname "$0")/lib.bash"
[ -n "$build" ] || fail "HOLDFAST_BUILD is not set"
[ -n "$source" ] || fail "HOLDFAST_SOURCE is not set"

# Each lane is a process, and works on its rows one after the other; a row is a folder.
lanes=(
	"tpm-rsassa tpm-file file-rsa"
	"tpm-rsa provider-tpm file-ec"
	"custom-static engine-pkcs11 engine-zymkey pkcs11-ec"
	"tpm-ec pkcs11-rsa custom-v2"
)
rows=13
chips="tpm-rsassa tpm-file tpm-rsa provider-tpm tpm-ec"
module=/usr/lib/softhsm/libsofthsm2.so

# issue KIND: KIND.pem, for the request KIND.csr
issue() {
	openssl x509 -req -in "$1.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -set_serial "0x$(openssl rand -hex 8)" -days 2 \
		-extfile "$dir/device.ext" -out "$1.pem" 2>openssl.out || { cat openssl.out >&2; fail "no certificate for $row"; }
}

# papers KEY: individual.pem and group.pem
papers() {
	run "$program" cert self-signed --key "$1" --subject "/CN=$row-individual" --days 2 --out individual.pem
	run "$program" csr --key "$1" --subject "/CN=$row-group" --out group.csr
	issue group
}

# A row's own: of several processes that use a token of SoftHSM's at once, one sometimes does not see it.
make_token() {
	export SOFTHSM2_CONF=$PWD/softhsm.conf
	mkdir tokens
	printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$PWD/tokens" >softhsm.conf
	softhsm2-util --init-token --free --label line7 --pin 1234 --so-pin 567890 >softhsm.out
}

# make ROW: the row's papers; key is how Holdfast is told of its key, and program what is told
make() {
	local object chip
	row=$1 program=holdfast
	object="token=line7;object=$row?module-path=$module&pin-source=$dir/pin"
	chip="tcti=$(tcti "$row")"
	export TPM2TOOLS_TCTI TPM2OPENSSL_TCTI FIXTURE_DIR=$PWD/individual ZYMKEY_KEY=$PWD/zymkey.pem
	TPM2TOOLS_TCTI=$(tcti "$row") TPM2OPENSSL_TCTI=$(tcti "$row")
	case $row in
	file-*)
		key=$PWD/key.pem
		openssl genpkey "${soft[@]}" -out key.pem 2>openssl.out
		;;
	tpm-ec | tpm-rsa)
		key="tpm2:handle=0x81000201?$chip"
		run holdfast key make "$key" --type "$type"
		;;
	tpm-rsassa)
		key="tpm2:handle=0x81000201?$chip"
		tpm2_createprimary -Q -C o -g sha256 -G ecc -c primary.ctx
		tpm2_flushcontext -t
		tpm2_create -Q -C primary.ctx -G rsa2048:rsassa-sha256 -u k.pub -r k.priv
		tpm2_load -Q -C primary.ctx -u k.pub -r k.priv -c k.ctx
		tpm2_flushcontext -t
		tpm2_evictcontrol -Q -C o -c k.ctx 0x81000201
		tpm2_flushcontext -t
		;;
	tpm-file)
		key="tpm2:file=$PWD/key.tss2?$chip"
		openssl genpkey -provider tpm2 -provider default -algorithm EC -pkeyopt group:P-256 -out key.tss2 2>openssl.out
		grep -q -- '-----BEGIN TSS2 PRIVATE KEY-----' key.tss2 || fail "$(cat openssl.out)"
		;;
	provider-tpm)
		key=provider:tpm2:handle:0x81000201
		run holdfast key make "tpm2:handle=0x81000201?$chip" --type p256
		;;
	pkcs11-*)
		key=pkcs11:$object
		make_token
		run holdfast key make "$key" --type "$type"
		;;
	engine-pkcs11)
		key=engine:pkcs11:pkcs11:$object
		make_token
		run holdfast key make "pkcs11:$object" --type rsa2048
		;;
	engine-zymkey) # nobody but its certificate knows the public half
		key="engine:zymkey_ssl?so-path=$build/tests/zymkey_engine.so"
		openssl ecparam -genkey -name prime256v1 -noout -out zymkey.pem
		papers zymkey.pem
		return
		;;
	custom-*)
		make_custom
		return
		;;
	esac
	papers "$key"
}

# A library brings certificate, name and key of its own: individual/ and group/ are what it has.
make_custom() {
	mkdir individual group
	key=hsm:$build/tests/custom_v2.so
	if [ "$row" = custom-v2 ]; then
		run holdfast key make "$key" --type p256
	else
		link
		key=hsm: program=$PWD/linked/holdfast
		openssl genpkey "${soft[@]}" -out individual/key.txt 2>openssl.out
		cp individual/key.txt individual/key.pem
		expect_fail 2 "no custom HSM is linked into this program" holdfast key show --key hsm:
	fi
	papers "$([ "$row" = custom-v2 ] && echo "$key" || echo individual/key.pem)"
	cp individual/key.* group
	for kind in individual group; do
		mv $kind.pem $kind/cert.pem
		printf '%s-%s' "$row" $kind >$kind/name.txt
	done
	ln individual/cert.pem individual.pem
}

# link: linked/holdfast, the command with the library as an archive
link() {
	mkdir linked
	cc -c -fPIC -I"$source/include" -DWITH_X509 "$source/tests/fixture/custom_hsm.c" -o linked/acme.o
	ar rc linked/libacme.a linked/acme.o
	cat >linked/CMakeLists.txt <<-'TEXT'
	cmake_minimum_required(VERSION 3.18)
	project(linked LANGUAGES C)
	add_library(holdfast::holdfast INTERFACE IMPORTED)
	set_property(TARGET holdfast::holdfast PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${include})
	include(${package})
	holdfast_custom_hsm(acme ${PROJECT_SOURCE_DIR}/libacme.a -lcrypto)
	add_executable(holdfast ${tool})
	set_target_properties(holdfast PROPERTIES LINKER_LANGUAGE C)
	target_link_libraries(holdfast acme holdfast::holdfast ${holdfast} ${needs})
	TEXT
	local needs flags=
	needs=$(pkg-config --libs libssl libcrypto tss2-esys tss2-mu tss2-rc tss2-tctildr p11-kit-1 | tr -s ' ' ';')";-lwslay;-l:libqpid-proton-core.so.10"
	! nm "$(command -v holdfast)" | grep __asan_init >/dev/null || flags=-fsanitize=address,undefined
	{
		cmake -S linked -B linked -G Ninja -DCMAKE_C_FLAGS=$flags -Dinclude="$source/include" -Dtool="$build/tools/tool.o" \
			-Dpackage="$source/packaging/holdfast-hsm.cmake" -Dholdfast="$build/src/libholdfast.a" -Dneeds="$needs"
		ninja -C linked
	} >linked.out 2>&1 || { tail -n 30 linked.out >&2; fail "no program with a static library"; }
}

# onboard TLS KIND: a cell of the matrix
onboard() {
	local tls=$1 kind=$2 name=$row-$2 text="$row speaks TLS $1" used=$1 note=
	local -a who=(--cert "$kind.pem" --key "$key")
	data=$dir/$tls
	# shellcheck disable=SC1090
	. "$dir/$tls.env"
	export FIXTURE_DIR=$PWD/$kind
	[[ $row != custom-* ]] || who=(--hsm "$key")
	[ "$kind" = group ] || run holdfast enroll x509 --registration-id "$name" --cert individual.pem
	run "$program" register "${who[@]}" --state "$tls-$kind.json"
	run "$program" send "${who[@]}" --state "$tls-$kind.json" "$text"
	arrived "$name" "$text" || fail "$name: \"$text\" is not stored: $(bodies "$name")"
	if [ "$row $tls" = "tpm-rsassa 1.3" ]; then
		refused_by_tls_1_3 "$kind"
		used=1.2 note=", by TLS 1.2; refused where there is none"
	fi
	grep -qF "hub 127.0.0.${tls#1.}, device $name: connected by TLSv$used" "$dir/emulator.log" || fail "$name: not by TLS $used"
	say "$row, TLS $tls, $kind: registered, message stored$note" >>"$dir/cells"
}

# serve TLS: openssl's server in DPS's place, which takes certificates of the CA and of this device, and tells it in "served"
serve() {
	cat "$dir/ca.pem" individual.pem >clients.pem
	[ -p never ] || mkfifo never
	: >served # what the last one has said does not count
	openssl s_server -accept 127.0.0.1:0 -"tls${1/./_}" -rev -Verify 1 -verify_return_error -CAfile clients.pem \
		-cert "$dir/server.pem" -key "$dir/server.key" <>never >>served 2>&1 &
	server=$!
	await 20 grep -q '^ACCEPT 127' served
	at=127.0.0.1:$(sed -n 's/^ACCEPT 127.0.0.1:\([0-9]*\).*/\1/p' served)
}

end_server() {
	kill "$server"
	wait "$server" || true
}

refused_by_tls_1_3() {
	local server at
	serve 1.3
	expect_fail 7 'wants TLS 1.3, and our key can only be used in TLS 1.2: .*; use an EC P-256 key' holdfast register \
		--cert "$1.pem" --key "$key" --state refused.json --trust "$dir/server.pem" --connect "$dps:8883=$at" --timeout 20
	end_server
}

verified() { # verified KIND TLS: has the server seen this certificate, and found it to be good?
	grep -q "^Protocol version: TLSv$2" served && grep -q "^Peer certificate: CN = $row-$1\$" served &&
		grep -q '^Verification: OK' served
}

# stranger TLS KIND: shows its certificate to openssl's server, which speaks no MQTT: no more is asked of it
stranger() {
	local server at device
	serve "$1"
	holdfast register --cert "$2.pem" --key "$key" --state stranger.json --trust "$dir/server.pem" --connect "$dps:8883=$at" \
		>out 2>err &
	device=$!
	await 30 verified "$2" "$1"
	kill "$device"
	wait "$device" || true
	check_sane
	end_server
	say "$row, TLS $1, $2: verified by openssl s_server" >>"$dir/cells"
}

# by_s_client: the certificate, and the key in its token, in the hands of openssl's client
by_s_client() {
	local server at
	serve 1.3
	PKCS11_MODULE_PATH=$module openssl s_client -connect "$at" -CAfile "$dir/server.pem" -verify_return_error -engine pkcs11 \
		-keyform engine -key "pkcs11:token=line7;object=$row;type=private;pin-value=1234" -cert group.pem <<<Q \
		>client.out 2>&1 || { cat client.out served >&2; fail "openssl s_client does not get through"; }
	verified group 1.3 || { cat served >&2; fail "openssl s_server does not see openssl s_client's certificate"; }
	end_server
	say "$row, TLS 1.3, group: taken by openssl s_client" >>"$dir/cells"
}

# lane ROWS...
lane() {
	local row program key type tls kind
	local -a soft
	# shellcheck disable=SC2046
	trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
	for row in "$@"; do
		mkdir -p "$dir/rows/$row"
		cd "$dir/rows/$row"
		type=p256 soft=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)
		[[ $row != *-rsa ]] || type=rsa2048 soft=(-algorithm RSA)
		make "$row"
		for tls in 1.2 1.3; do
			onboard $tls individual
			onboard $tls group
			[[ $row != tpm-ec && $row != pkcs11-rsa ]] || stranger $tls individual
			[[ $row != tpm-ec && $row != pkcs11-rsa ]] || stranger $tls group
		done
		[ "$row" != pkcs11-rsa ] || by_s_client
	done
}

# count TIMES PATTERN: of lines in cells
count() { [ "$(grep -cE "$2" cells)" = "$1" ] || fail "not $1 times: $2"; }

certificate ca --authority
echo basicConstraints=critical,CA:FALSE >device.ext
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout server.key -out server.pem -days 2 \
	-subj /CN=stranger -addext subjectAltName=DNS:$dps 2>openssl.out
export TSS2_LOG=all+NONE
echo 1234 >pin
for chip in $chips; do
	start_tpm "$chip"
done
for tls in 1.2 1.3; do
	data=$dir/$tls mqtt_port=0 https_port=0 amqp_port=0
	start_emulator --tls-max $tls --hub "127.0.0.${tls#1.}" # each with a hub of its own: they share a log
	run holdfast enroll group-x509 --registration-id line --cert ca.pem
	holdfast-emulator --data "$data" env >$tls.env
done
touch cells

pids=()
for rows_of_lane in "${lanes[@]}"; do
	# shellcheck disable=SC2086
	lane $rows_of_lane &
	pids+=($!)
done
status=0
for pid in "${pids[@]}"; do
	wait "$pid" || status=1
done
sort cells
# shellcheck disable=SC2048
for row in ${lanes[*]}; do
	for tls in 1.2 1.3; do
		for kind in individual group; do
			count 1 "^$row, TLS $tls, $kind: registered, message stored(, by TLS 1.2; refused where there is none)?\$"
		done
	done
done
count $((rows * 4)) ': registered, message stored'
count 2 '^tpm-rsassa, TLS 1.3, .*, by TLS 1.2; refused where there is none$'
count 2 '; refused where there is none$'
for row in tpm-ec pkcs11-rsa; do
	count 4 "^$row, .*: verified by openssl s_server\$"
done
count 1 ': taken by openssl s_client$'
[ $status = 0 ] || fail "a lane has ended early"
say "all cells: well"
