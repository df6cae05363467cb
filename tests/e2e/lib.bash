# Read by the scripts here that need more than one process: an emulator, TPMs, certificates, tokens; a folder for all
# of it, and an end that leaves nothing running.
set -euo pipefail
export LC_ALL=C.UTF-8
: "${HOLDFAST_BIN:?the folder of holdfast and holdfast-emulator}"
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
PATH=$HOLDFAST_BIN:$PATH build=${HOLDFAST_BUILD:-} source=${HOLDFAST_SOURCE:-}
unset "${!HOLDFAST_@}" # nothing of the caller's own devices gets in
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
python=/usr/bin/python3
dps=global.azure-devices-provisioning.net
dir=$(mktemp -d "${TMPDIR:-/tmp}/holdfast-e2e.XXXXXX")
data=$dir/emulator
emulator=
cd "$dir"

say() { printf '%s\n' "$*"; }

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

finish() {
	local status=$?
	trap - EXIT
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null || true
	wait
	if grep -l 'Sanitizer\|runtime error:' ./*.log >found 2>/dev/null; then
		xargs cat <found >&2
		status=1
	elif [ $status != 0 ] && [ $status != 77 ] && [ -f emulator.log ]; then
		tail -n 40 emulator.log | sed 's/^/emulator: /' >&2
	fi
	cd /
	rm -rf "$dir" 2>/dev/null || true # a file system may be mounted in it; that ends with its namespace
	exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM

# await SECONDS COMMAND...: until it works
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || fail "still not after waiting: $*"
		sleep 0.05
	done
}

# start_emulator OPTIONS...: with the ports of its first start, so that devices find it again
mqtt_port=0 https_port=0 amqp_port=0
start_emulator() {
	holdfast-emulator --data "$data" --mqtt-port $mqtt_port --https-port $https_port --amqp-port $amqp_port --retry-after 1 "$@" \
		>>ready 2>>emulator.log &
	emulator=$!
	await 20 holdfast-emulator --data "$data" env
	eval "$(holdfast-emulator --data "$data" env)"
	[[ $HOLDFAST_CONNECT =~ $dps:8883=127.0.0.1:([0-9]+) ]] || fail "$HOLDFAST_CONNECT"
	mqtt_port=${BASH_REMATCH[1]}
	[[ $HOLDFAST_CONNECT =~ $dps:443=127.0.0.1:([0-9]+) ]] || fail "$HOLDFAST_CONNECT"
	https_port=${BASH_REMATCH[1]}
	[[ ! $HOLDFAST_CONNECT =~ $dps:5671=127.0.0.1:([0-9]+) ]] || amqp_port=${BASH_REMATCH[1]}
}

# stop_emulator [SIGNAL]
stop_emulator() {
	kill "-${1:-TERM}" "$emulator"
	wait "$emulator" 2>/dev/null || [ "${1:-TERM}" = KILL ] || fail "the emulator ended with status $?"
	emulator=
}

events() { holdfast-emulator --data "$data" events "$@"; }

# bodies [DEVICE]: of the events, a line each
bodies() { events ${1:+--device "$1"} | sed -n 's/.*"body":"\([^"]*\)".*/\1/p'; }

arrived() { bodies "$1" | grep -xF "$2" >/dev/null; }

# start_tpm NAME [FLAGS]: a software TPM behind NAME.sock; its state in the folder NAME. ended by stop_tpm NAME.
declare -A tpm_pid=()
start_tpm() {
	mkdir -p "$1"
	rm -f "$1.sock" "$1.sock.ctrl"
	swtpm socket --tpm2 --tpmstate dir="$dir/$1" --flags "${2:-not-need-init,startup-clear}" \
		--server type=unixio,path="$dir/$1.sock" --ctrl type=unixio,path="$dir/$1.sock.ctrl" >>"$1.out" 2>&1 &
	tpm_pid[$1]=$!
	await 10 test -S "$1.sock.ctrl"
}

tcti() { echo "swtpm:path=$dir/$1.sock"; }

new_key() { openssl rand -base64 32; }

# run COMMAND...: has to work, within a minute
run() {
	timeout 60 "$@" >out 2>err || { status=$?; cat err out >&2; fail "status $status: $*"; }
	check_sane
}

# expect_fail CODE TEXT COMMAND...: has to end with this status, and say this
expect_fail() {
	local code=$1 text=$2 got=0
	shift 2
	timeout 60 "$@" >out 2>err || got=$?
	check_sane
	[ $got = "$code" ] || { cat err out >&2; fail "status $got, not $code: $*"; }
	grep -q -e "$text" err || { cat err >&2; fail "it does not say \"$text\": $*"; }
}

check_sane() {
	! grep -q 'Sanitizer\|runtime error:' err || { cat err >&2; fail "a sanitizer has found something"; }
}

# part NAME: of the connection string on standard input
part() { tr ';' '\n' | sed -n "s/^$1=//p"; }

# hmac KEY: of standard input, with a base64 key; in base64
hmac() {
	local hex
	hex=$(base64 -d <<<"$1" | od -An -v -tx1 | tr -d ' \n')
	openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | base64 -w0
}

# token RESOURCE KEY [POLICY]: a shared access signature
token() {
	local resource=${1//\//%2F} end=$(($(date +%s) + 600)) sig
	sig=$(printf '%s\n%s' "$resource" $end | hmac "$2")
	sig=${sig//+/%2B} sig=${sig//\//%2F} sig=${sig//=/%3D}
	printf 'SharedAccessSignature sr=%s&sig=%s&se=%s%s' "$resource" "$sig" $end "${3:+&skn=$3}"
}

# web PATH CURL-OPTIONS...: DPS over HTTPS, as curl sees it; the status is the answer's last line
web() {
	curl -sS --max-time 30 --cacert "$HOLDFAST_TRUST" --connect-to "$dps:443:127.0.0.1:$https_port" \
		-w '\n%{http_code}\n' "https://$dps$1" "${@:2}"
}

# owner METHOD PATH [JSON [CURL-OPTIONS...]]: the service's REST API
owner() {
	local auth
	auth=$(token $dps "$(part SharedAccessKey <<<"$HOLDFAST_SERVICE")" provisioningserviceowner)
	web "$2?api-version=2021-10-01" -X "$1" -H "Authorization: $auth" ${3:+-H 'Content-Type: application/json' -d "$3"} \
		"${@:4}"
}

# certificate NAME [--cn CN] [--ca ISSUER] [--authority] [--days FROM TO]: NAME.pem and NAME.key; --days count from now
certificate() {
	local name=$1 cn=$1 ca= kind=critical,CA:FALSE from=-1 to=2
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--cn) cn=$2; shift ;;
		--ca) ca=$2; shift ;;
		--days) from=$2 to=$3; shift 2 ;;
		--authority) kind=critical,CA:TRUE ;;
		esac
		shift
	done
	openssl ecparam -genkey -name prime256v1 -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "/CN=$cn" -out "$name.csr"
	[ -d ca.state ] || { mkdir ca.state; touch ca.state/index; }
	cat >ca.state/conf <<-CONF
	[ca]
	default_ca = it
	[it]
	database = $dir/ca.state/index
	new_certs_dir = $dir/ca.state
	rand_serial = yes
	unique_subject = no
	default_md = sha256
	policy = any
	x509_extensions = ext
	[any]
	commonName = supplied
	[ext]
	basicConstraints = $kind
	CONF
	# shellcheck disable=SC2046
	openssl ca -batch -notext -config ca.state/conf -in "$name.csr" -out "$name.pem" \
		$([ -n "$ca" ] && echo "-cert $ca.pem -keyfile $ca.key" || echo "-selfsign -keyfile $name.key") \
		-startdate "$(date -u -d "$from days" +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "$to days" +%Y%m%d%H%M%SZ)" \
		2>openssl.out || { cat openssl.out >&2; fail "no certificate $name"; }
}
