# Read by every test here. A test runs in a network and a mount namespace of its own, in which DPS and the hub have the
# names and the ports that strangers insist on; it leaves nothing behind.
set -euo pipefail
export LC_ALL=C.UTF-8
: "${HOLDFAST_BIN:?the folder of holdfast and holdfast-emulator}"
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
dps=global.azure-devices-provisioning.net
hub=strangers.azure-devices.net

skip() {
	echo "skipped: $*"
	exit 77
}

fail() {
	echo "failed: $*" >&2
	exit 1
}

if [ -z "${INTEROP_INSIDE:-}" ]; then
	unshare -rnm sh -c 'ip link set lo up && mount --bind /etc/hosts /etc/hosts' 2>/dev/null ||
		skip "this machine refuses user namespaces"
	INTEROP_INSIDE=1 exec unshare -rnm bash "$0"
fi

work=$(mktemp -d)
emulator=
helpers=()

finish() {
	local status=$? pid
	trap - EXIT
	for pid in "${helpers[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	if [ -n "$emulator" ]; then
		kill "$emulator" || status=1
		wait "$emulator" || { echo "failed: the emulator ended with status $?" >&2; status=1; }
	fi
	wait
	[ $status = 0 ] || [ ! -e "$work/emulator.log" ] || sed 's/^/emulator: /' "$work/emulator.log" >&2
	rm -rf "$work"
	exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM

# await SECONDS COMMAND...: until it succeeds
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || fail "still not after waiting: $*"
		sleep 0.05
	done
}

told() {
	"$HOLDFAST_BIN/holdfast-emulator" --data "$work/data" "$@"
}

# start_emulator OPTIONS...
start_emulator() {
	ip link set lo up
	printf '127.0.0.1 localhost %s %s\n' $dps $hub >"$work/hosts"
	mount --bind "$work/hosts" /etc/hosts
	"$HOLDFAST_BIN/holdfast-emulator" --data "$work/data" --hub $hub --retry-after 1 "$@" >"$work/emulator.log" 2>&1 &
	emulator=$!
	await 20 told env
	eval "$(told env)"
	export NODE_EXTRA_CA_CERTS=$HOLDFAST_TRUST
}

enroll() {
	"$HOLDFAST_BIN/holdfast" enroll "$@"
}

# arrived DEVICE PATH=VALUE...: exactly one event of this device is like that
arrived() {
	local device=$1
	shift
	told events --device "$device" | /usr/bin/python3 "$here/arrived.py" "$@"
}

# The SDKs, installed by `npm ci`; which test needs them and has not got them has failed, not been skipped.
sdk() {
	[ -d "$here/node_modules" ] || fail "say npm ci in $here"
	timeout 60 node --no-deprecation "$here/$1.js" "${@:2}"
}

# field PATH: of the JSON object on standard input
field() {
	/usr/bin/python3 -c 'import functools, json, sys
print(functools.reduce(lambda at, step: at[step], sys.argv[1].split("."), json.load(sys.stdin)))' "$1"
}

# is EXPECTED ACTUAL
is() {
	[ "$1" = "$2" ] || fail "'$2' where '$1' was expected"
}

# refused WORDS COMMAND...: it fails, and shows these words; a number is a code of the service's
refused() {
	local words=$1
	shift
	case $words in [45]*) words="\"errorCode\":$words," ;; esac
	if "$@" >"$work/refused" 2>&1; then
		cat "$work/refused" >&2
		fail "was not refused: $*"
	fi
	grep -qFe "$words" "$work/refused" || {
		cat "$work/refused" >&2
		fail "was refused, but not with $words: $*"
	}
}

new_key() {
	openssl rand -base64 32
}

# hmac KEY: of standard input, with a base64 key; in base64
hmac() {
	local hex
	hex=$(printf %s "$1" | base64 -d | od -An -v -tx1 | tr -d ' \n')
	openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | base64 -w0
}

# token RESOURCE KEY [POLICY [SECONDS]]: a shared access signature
token() {
	local resource=${1//\//%2F} end=$(($(date +%s) + ${4:-600})) sig
	sig=$(printf '%s\n%s' "$resource" $end | hmac "$2")
	sig=${sig//+/%2B} sig=${sig//\//%2F} sig=${sig//=/%3D}
	printf 'SharedAccessSignature sr=%s&sig=%s&se=%s%s' "$resource" "$sig" $end "${3:+&skn=$3}"
}

# self_signed NAME: NAME.pem and NAME.key in the work folder
self_signed() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=$1" \
		-addext basicConstraints=critical,CA:FALSE -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}

# authority NAME [ISSUER]: a CA, its own or issued by another
authority() {
	issued "$1" "${2:-$1}" critical,CA:TRUE
}

# issued NAME ISSUER [CONSTRAINTS]: a certificate for a device; NAME.chain.pem goes up to the issuer, without the root
issued() {
	local by=(-CA "$work/$2.pem" -CAkey "$work/$2.key") up="$work/$2.chain.pem"
	[ "$1" != "$2" ] || by=(-signkey "$work/$1.key") up=
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/$1.key" \
		-out "$work/$1.csr" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" "${by[@]}" -days 1 -set_serial "0x$(openssl rand -hex 8)" \
		-extfile <(echo "basicConstraints=${3:-critical,CA:FALSE}") -out "$work/$1.pem" 2>/dev/null
	[ -n "$up" ] || { : >"$work/$1.chain.pem"; return; }
	cat "$work/$1.pem" "$up" >"$work/$1.chain.pem"
}
