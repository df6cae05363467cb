#!/usr/bin/env bash
# A known key is put into a TPM and into a token behind p11-kit's server; while a device sends with it, neither its private value
# nor its primes are in the device's memory. The same look finds them where the key is a file, so it can see.
. "$(dirname "$0")/lib.bash"

numbers() { # numbers KEY PREFIX: what is private in it, planted
	openssl pkey -in "$1" -text -noout 2>openssl.out | $python -c '
import base64, re, sys
skip = ("pub", "modulus", "publicExponent", "coefficient")
for name, text in re.findall(r"^(\w+):[^\n]*\n((?: +[0-9a-f:]+\n)+)", sys.stdin.read(), re.M):
    if name not in skip:
        data = bytes.fromhex(re.sub(r"[^0-9a-f]", "", text)).lstrip(b"\0")
        print(sys.argv[1] + "-" + name, base64.b64encode(data).decode())' "$2" >>secrets
}

self_sign() { # self_sign NAME OPENSSL-KEY-OPTIONS...: NAME.key, NAME.pem
	local name=$1
	shift
	openssl req -x509 "$@" -noenc -subj "/CN=$name" -days 2 -addext basicConstraints=critical,CA:FALSE \
		-keyout "$name.key" -out "$name.pem" 2>openssl.out
	numbers "$name.key" "$name"
}

# sends DEVICE KEY: sends, and is looked through; 0: nothing was found
sends() {
	$python "$here/secrets.py" core secrets "$data" "$1" holdfast send --cert "$1.pem" --key "$2"
}

start_emulator
self_sign ec -newkey ec -pkeyopt ec_paramgen_curve:P-256
self_sign rsa -newkey rsa:2048
[ "$(wc -l <secrets)" -ge 6 ] || fail "the keys have no numbers"
for name in ec rsa; do
	run holdfast enroll x509 --registration-id $name --cert $name.pem
	sends $name $name.key >found && fail "the key in a file is not seen in memory: nothing could be"
	grep -q "^$name-" found || fail "another key is in memory: $(cat found)"
done

start_tpm tpm
export TPM2TOOLS_TCTI
TPM2TOOLS_TCTI=$(tcti tpm)
tpm2_createprimary -C o -g sha256 -G ecc -c primary.ctx >tpm2.out
tpm2_flushcontext -t
at=0x81000210
for name in ec rsa; do
	kind=ecc
	[ $name = ec ] || kind=rsa
	tpm2_import -C primary.ctx -G $kind -i $name.key -u $name.pub -r $name.priv \
		-a 'sign|decrypt|userwithauth|noda' >tpm2.out
	tpm2_load -C primary.ctx -u $name.pub -r $name.priv -c $name.ctx >tpm2.out
	tpm2_flushcontext -t
	tpm2_evictcontrol -C o -c $name.ctx $at >tpm2.out
	tpm2_flushcontext -t
	sends $name "tpm2:handle=$at?tcti=$(tcti tpm)" || fail "a key in the TPM was in memory"
	at=0x81000211
done

export SOFTHSM2_CONF=$dir/softhsm.conf
mkdir tokens
echo "directories.tokendir = $dir/tokens" >softhsm.conf
softhsm2-util --init-token --free --label line7 --pin 1234 --so-pin 5678 >softhsm.out
echo 1234 >pin
for name in ec rsa; do
	openssl pkcs8 -topk8 -nocrypt -in $name.key -out $name.p8
	softhsm2-util --import $name.p8 --token line7 --label $name --id 0${#name} --pin 1234 >softhsm.out
done
p11-kit server --foreground --name "$dir/p11.sock" --provider /usr/lib/softhsm/libsofthsm2.so 'pkcs11:token=line7' \
	>p11.out 2>&1 &
await 10 test -S p11.sock
export P11_KIT_SERVER_ADDRESS=unix:path=$dir/p11.sock
client=$(pkg-config --variable=p11_module_path p11-kit-1)/p11-kit-client.so
for name in ec rsa; do
	sends $name "pkcs11:token=line7;object=$name?module-path=$client&pin-source=$dir/pin" ||
		fail "a key in a token of another process was in memory"
done
say "what was looked for: $(cut -d' ' -f1 secrets | tr '\n' ' ')"
