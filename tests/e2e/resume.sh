#!/usr/bin/env bash
# A device that comes back goes on with its TLS session, in which its key signs nothing.
. "$(dirname "$0")/lib.bash"

certificate boiler
count() { grep -cE "device boiler: connected by $1(,|\$)" emulator.log || true; }
comes_back() { [ "$(count "$1 \\(resumed\\)")" = "$2" ]; }

# displaced: a second process takes the first one's place, which comes back
displaced() {
	run "${device[@]}" "other $1"
	echo "again $1" >&3
	await 10 arrived boiler "again $1"
}

for version in 1.3 1.2; do
	start_emulator --tls-max $version
	run holdfast enroll x509 --registration-id boiler --cert boiler.pem
	run holdfast register --cert boiler.pem --key boiler.key --state boiler.json
	device=(holdfast send --cert boiler.pem --key boiler.key --state boiler.json)
	mkfifo lines
	timeout 60 "${device[@]}" <lines >first.out 2>first.log &
	first=$!
	exec 3>lines
	echo "first $version" >&3
	await 10 arrived boiler "first $version"
	for n in 1 2; do
		displaced "$version-$n"
		await 10 comes_back TLSv$version $n
	done
	[ "$(count TLSv$version)" = 3 ] || fail "who begins anew has no session: $(cat emulator.log)"

	# An emulator that has forgotten it takes the device as one that it has not met.
	stop_emulator KILL
	start_emulator --tls-max $version 3>&-
	echo "forgotten $version" >&3
	await 20 arrived boiler "forgotten $version"
	[ "$(count TLSv$version)" = 4 ] || fail "what is forgotten is not resumed: $(cat emulator.log)"

	# Another's client does as well, and is answered with what its certificate may have.
	for n in 1 2; do
		printf 'PUT /%s/registrations/boiler/register?api-version=2021-06-01 HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n%s' \
			"$HOLDFAST_ID_SCOPE" $dps $'Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close' '{}' |
			timeout 10 openssl s_client -connect "127.0.0.1:$https_port" -servername $dps -CAfile "$HOLDFAST_TRUST" \
				-cert boiler.pem -key boiler.key -ign_eof -sess_out session $([ $n = 1 ] || echo -sess_in session) \
				>client.out 2>client.err || { cat client.err >&2; fail "openssl s_client"; }
		grep -q '^HTTP/1.1 202' client.out || fail "$(cat client.out client.err)"
		grep -q "^$([ $n = 1 ] && echo New || echo Reused), TLSv$version" client.out || fail "$(cat client.out)"
	done

	exec 3>&-
	wait $first || { cat first.log >&2; fail "the device ended with status $?"; }
	stop_emulator
	rm lines
done
