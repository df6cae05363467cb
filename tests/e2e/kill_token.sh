#!/usr/bin/env bash
# Hardware that goes away while a device works: a PKCS#11 token behind a `p11-kit server` that is killed, and a TPM that is killed in
# the middle of a handshake. Each try is one sentence with the hardware's own word; when it comes back, so does the device.
. "$(dirname "$0")/lib.bash"
softhsm=/usr/lib/softhsm/libsofthsm2.so
client=$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so
[ -f "$client" ] || fail "p11-kit has no client module"

says() { grep -q -e "$2" "$1"; }

# The descriptors of the devices' input are not for those who stay.
start_server() {
	rm -f p11.sock
	p11-kit server -f -n "$dir/p11.sock" --provider "$softhsm" "pkcs11:token=line7" >>server.out 2>>server.err 3>&- &
	server=$!
	await 10 test -S p11.sock
}

# It has a process for each client.
stop_server() {
	local clients
	clients=$(ps --ppid $server -o pid= || true)
	[ "${1:-}" != used ] || [ -n "$clients" ] || fail "nobody uses the token"
	# shellcheck disable=SC2086
	kill -KILL $server $clients
	wait $server 2>/dev/null || true
}

mkdir tokens
printf 'directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir" >softhsm2.conf
export SOFTHSM2_CONF=$dir/softhsm2.conf P11_KIT_SERVER_ADDRESS=unix:path=$dir/p11.sock
softhsm2-util --init-token --free --label line7 --pin 1234 --so-pin 567890 >/dev/null
echo 1234 >pin
key="pkcs11:token=line7;object=press?module-path=$client&pin-source=$dir/pin"
start_server
run holdfast key make "$key" --type p256
run holdfast cert self-signed --key "$key" --subject /CN=press --out press.pem
start_emulator
run holdfast enroll x509 --registration-id press --cert press.pem
press=(--cert press.pem --key "$key" --state press.json)
run holdfast register "${press[@]}"

# In the middle of a send: what is connected needs no key. The next handshake does.
mkfifo lines
timeout 100 holdfast send "${press[@]}" <lines >press.out 2>press.log &
send=$!
exec 3>lines
echo one >&3
await 20 arrived press one
stop_server used
echo two >&3
await 20 arrived press two
stop_emulator KILL
start_emulator 3>&-
echo three >&3
await 30 says press.log "our key did not sign for TLS with .*: PKCS#11 token line7: .*: CKR_DEVICE_ERROR; "
await 30 says press.log "our key did not sign for TLS with .*: PKCS#11 module $client: no token is there"
start_server
await 60 arrived press three
exec 3>&-
wait $send || { cat press.log >&2; fail "the send did not come back"; }
grep -qx 'acknowledged *3' press.out || fail "$(cat press.out)"
! grep -v -e 'our key did not sign' -e 'closed the connection' -e 'connect to' press.log || fail "that was to be all"

# Nobody at the socket at all; and from the beginning.
stop_server
expect_fail 5 "PKCS#11 module $client: no token is there that fits the URI" holdfast identity "${press[@]}"
[ "$(grep -c '' err)" = 1 ] || fail "more than one sentence: $(cat err)"

# A TPM that dies when it is to sign.
start_tpm chip
key="tpm2:handle=0x81000201?tcti=$(tcti chip)"
run holdfast key make "$key" --type p256
run holdfast cert self-signed --key "$key" --subject /CN=boiler --out boiler.pem
run holdfast enroll x509 --registration-id boiler --cert boiler.pem
run holdfast register --cert boiler.pem --key "$key" --state boiler.json
export TPM_PID=${tpm_pid[chip]}
timeout 100 "$python" "$here/tpm_relay.py" relay chip.sock Sign gone holdfast send --cert boiler.pem --state boiler.json \
	--key "tpm2:handle=0x81000201?tcti=swtpm:path=$dir/relay" hello >boiler.out 2>boiler.log &
send=$!
await 30 says boiler.log "our key did not sign for TLS with .*: TPM swtpm:path=$dir/relay: cannot sign with the key of TPM handle 0x81000201: .*tcti:.*(0x"
wait "$TPM_PID" 2>/dev/null || true
sleep 1
start_tpm chip
await 60 arrived boiler hello
wait $send || { cat boiler.log >&2; fail "the send did not come back"; }
! grep -v 'our key did not sign' boiler.log || fail "that was to be all"
[ -z "$(tpm2_getcap -T "$(tcti chip)" handles-transient)$(tpm2_getcap -T "$(tcti chip)" handles-loaded-session)" ] ||
	fail "something is left in the TPM"
kill "${tpm_pid[chip]}"
wait "${tpm_pid[chip]}" || true
expect_fail 5 "TPM swtpm:path=$dir/chip.sock: cannot connect: .*(0x" \
	holdfast send --cert boiler.pem --key "$key" --state boiler.json hello
