# Qpid Proton, by its binding for Python: as a device and as an owner at our hub; then as the hub of our device.
. "$(dirname "$0")/lib.bash"
/usr/bin/python3 -c 'import proton' || fail "there is no python3-qpid-proton; ./dev deps installs it"
start_emulator

key=$(new_key)
enroll symmetric --registration-id press-1 --symmetric-key - <<<"$key"
echo "$key" >"$work/key"
device=(--symmetric-key "$work/key" --registration-id press-1)
"$HOLDFAST_BIN/holdfast" register "${device[@]}" >/dev/null
policy=$(tr ';' '\n' <<<"$HOLDFAST_HUB_SERVICE" | sed -n 's/^SharedAccessKey=//p')
DATA=$work/data timeout 100 /usr/bin/python3 "$here/qpid_device.py" $hub press-1 "$key" "$policy" || fail "see above"
arrived press-1 'body=all kinds' 'properties.text=seven & a half' properties.int=7 properties.long=-8 properties.yes=true \
	properties.id=00000000-0000-0000-0000-000000000003 properties.sym=s authMethod.type=sas authMethod.scope=device \
	systemProperties.message-id=00000000-0000-0000-0000-000000000007 systemProperties.correlation-id=9 \
	systemProperties.content-type=text/plain systemProperties.content-encoding=utf-8
arrived press-1 'body=a value' systemProperties.message-id=m2
arrived press-1 systemProperties.message-id=big
arrived press-1 'body=by cbs'
is 4 "$(told events | wc -l)"
