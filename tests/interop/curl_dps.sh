# curl at DPS: devices with a key and with a certificate register over HTTPS, step by step as the service answers.
. "$(dirname "$0")/lib.bash"
start_emulator
scope=$HOLDFAST_ID_SCOPE

# web METHOD PATH OPTIONS...: the body, the answer's head in $work/head
web() {
	curl -sS --max-time 20 --cacert "$HOLDFAST_TRUST" -D "$work/head" -X "$1" -H 'Content-Type: application/json' \
		"https://$dps/$2?api-version=2021-06-01" "${@:3}"
}

# answers STATUS [HEADER]: the last one did
answers() {
	grep -q "^HTTP/1.1 $1 " "$work/head" && grep -qi "^${2:-content-type: application/json}" "$work/head" || {
		cat "$work/head" >&2
		fail "status $1 with '${2:-}' was expected"
	}
}

# onboards ID HUB-DEVICE OPTIONS...: register, and ask until it is decided
onboards() {
	local id=$1 device=$2 path=$scope/registrations/$1 operation status=assigning
	shift 2
	web PUT "$path/register" -d "{\"registrationId\":\"$id\"}" "$@" >"$work/answer"
	answers 202 'retry-after: 1'
	is assigning "$(field status <"$work/answer")"
	operation=$(field operationId <"$work/answer")
	web GET "$path/operations/nonsense" "$@" | field errorCode | grep -q ^404
	answers 404
	for _ in $(seq 50); do
		web GET "$path/operations/$operation" "$@" >"$work/answer"
		status=$(field status <"$work/answer")
		[ "$status" = assigning ] || break
		answers 202 'retry-after: 1'
		sleep 0.2
	done
	is assigned "$status"
	answers 200
	is $hub "$(field registrationState.assignedHub <"$work/answer")"
	is "$device" "$(field registrationState.deviceId <"$work/answer")"
}

# turned_away STATUS CODE ID OPTIONS...
turned_away() {
	is "$2" "$(web PUT "$scope/registrations/$3/register" -d "{\"registrationId\":\"$3\"}" "${@:4}" |
		field errorCode)"
	answers "$1" "x-ms-error-code: $2"
}

# signed ID KEY [POLICY [SECONDS]]: a header
signed() {
	echo "Authorization: $(token "$scope/registrations/$1" "$2" "${3:-registration}" "${4:-600}")"
}

key=$(new_key)
enroll symmetric --registration-id oven-1 --device-id oven-one --symmetric-key - <<<"$key"
onboards oven-1 oven-one -H "$(signed oven-1 "$key")"
turned_away 401 401002 oven-1 -H "$(signed oven-1 "$(new_key)")"
turned_away 401 401002 oven-1 -H "$(signed oven-1 "$key" registration -600)"
turned_away 401 401002 oven-1 -H "$(signed oven-2 "$key")"
turned_away 401 401002 oven-1
scope=0ne00000000 turned_away 404 404202 oven-1 -H "$(signed oven-1 "$key")"

self_signed oven-2
enroll x509 --registration-id oven-2 --cert "$work/oven-2.pem"
onboards oven-2 oven-2 --cert "$work/oven-2.pem" --key "$work/oven-2.key"
turned_away 401 401002 oven-1 --cert "$work/oven-2.pem" --key "$work/oven-2.key"
turned_away 401 401002 oven-2
self_signed oven-2
turned_away 401 401002 oven-2 --cert "$work/oven-2.pem" --key "$work/oven-2.key"
