# curl as a device at its hub: telemetry alone and in a batch, messages taken, abandoned, rejected and completed, and what is refused.
. "$(dirname "$0")/lib.bash"
start_emulator
key=$(new_key)
enroll symmetric --registration-id press-1 --symmetric-key - <<<"$key"
self_signed oven
enroll x509 --registration-id oven --cert "$work/oven.pem"
"$HOLDFAST_BIN/holdfast" register --symmetric-key <(echo "$key") --registration-id press-1 >/dev/null
"$HOLDFAST_BIN/holdfast" register --cert "$work/oven.pem" --key "$work/oven.key" >/dev/null
token=$(token "$hub/devices/press-1" "$key")

# web METHOD PATH QUERY OPTIONS...: a request below a device's messages; its status. The body in $work/body, the head in $work/head
web() {
	curl -sS --max-time 20 --cacert "$HOLDFAST_TRUST" -D "$work/head" -o "$work/body" -w '%{http_code}' -X "$1" \
		"https://$hub/devices/$2?${3}api-version=2021-04-12" "${@:4}"
}
as=(-H "Authorization: $token")
has() { grep -qi "^$1" "$work/head" || { cat "$work/head" >&2; fail "no header $1"; }; }
says() { grep -qF "$1" "$work/body" || { cat "$work/body" >&2; fail "it does not say $1"; }; }

is 204 "$(web POST press-1/messages/events '' "${as[@]}" -d hello -H 'iothub-app-line: 7' -H 'iothub-messageid: m1' -H 'iothub-contenttype: text/plain')"
arrived press-1 body=hello properties.line=7 systemProperties.message-id=m1 systemProperties.content-type=text/plain authMethod.type=sas
is 204 "$(web POST press-1/messages/events '' "${as[@]}" -H 'Content-Type: application/vnd.microsoft.iothub.json' \
	-d '[{"body":"b25l"},{"body":"two","base64Encoded":false,"properties":{"iothub-app-n":"2"}}]')"
arrived press-1 body=one
arrived press-1 body=two properties.n=2
is 204 "$(web POST oven/messages/events '' --cert "$work/oven.pem" --key "$work/oven.key" -d warm)"
arrived oven body=warm authMethod.type=x509

# down: nothing, then one, which is abandoned, and so comes again
is 204 "$(web GET press-1/messages/devicebound '' "${as[@]}")"
told c2d press-1 'open the valve' --property valve=3 --message-id v1 --ack full >/dev/null
lock() { sed -n 's/^etag: "\(.*\)".*/\1/Ip' "$work/head"; }
is 200 "$(web GET press-1/messages/devicebound '' "${as[@]}")"
is 'open the valve' "$(cat "$work/body")"
has 'iothub-app-valve: 3'
has 'iothub-messageid: v1'
has 'iothub-ack: full'
has 'iothub-deliverycount: 0'
first=$(lock)
is 204 "$(web GET press-1/messages/devicebound '' "${as[@]}")"
is 204 "$(web POST "press-1/messages/devicebound/$first/abandon" '' "${as[@]}" -d '')"
is 200 "$(web GET press-1/messages/devicebound '' "${as[@]}")"
has 'iothub-deliverycount: 1'
second=$(lock)
is 412 "$(web DELETE "press-1/messages/devicebound/$first" '' "${as[@]}")"
says ErrorCode:DeviceMessageLockLost
is 204 "$(web DELETE "press-1/messages/devicebound/$second" 'reject&' "${as[@]}")"
is 204 "$(web GET press-1/messages/devicebound '' "${as[@]}")"

# refused: a stranger, another's token, an old one, a certificate that is not the device's, what is too large, what is nothing
is 401 "$(web POST press-1/messages/events '' -d x)"
says ErrorCode:IotHubUnauthorizedAccess
has 'iothub-errorcode: IotHubUnauthorizedAccess'
is 401 "$(web POST press-1/messages/events '' -H "Authorization: $(token "$hub/devices/press-1" "$(new_key)")" -d x)"
is 401 "$(web POST oven/messages/events '' "${as[@]}" -d x)"
is 401 "$(web POST press-1/messages/events '' -H "Authorization: $(token "$hub/devices/press-1" "$key" '' -60)" -d x)"
is 401 "$(web GET press-1/messages/devicebound '' --cert "$work/oven.pem" --key "$work/oven.key")"
is 404 "$(web POST press-2/messages/events '' "${as[@]}" -d x)"
says ErrorCode:DeviceNotFound
head -c 262145 /dev/zero >"$work/large"
is 413 "$(web POST press-1/messages/events '' "${as[@]}" --data-binary "@$work/large")"
head -c 600000 /dev/zero >"$work/huge"
is 413 "$(web POST press-1/messages/events '' "${as[@]}" --data-binary "@$work/huge")"
is 400 "$(web POST press-1/messages/events '' "${as[@]}" -H 'Content-Type: application/vnd.microsoft.iothub.json' -d '[{"body":"b25l"},{"body":"!"}]')"
is 400 "$(web GET press-1/twin '' "${as[@]}")"
is 3 "$(told events --device press-1 | wc -l)"
