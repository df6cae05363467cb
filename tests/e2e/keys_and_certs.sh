#!/usr/bin/env bash
# Keys made by holdfast key, requests and certificates by holdfast csr and holdfast cert: openssl checks them, and the tools of TPMs and
# of tokens read the objects.
. "$(dirname "$0")/lib.bash"

# papers KEY NAME: a request and a certificate, which openssl takes and finds the same public key in
papers() {
	local subject="/C=DE/O=Ex\\/ample/CN=Ger\xc3\xa4t $2"
	run holdfast key show --key "$1" --out "$2.pub"
	run holdfast csr --key "$1" --subject "$(printf "%b" "${subject//\\\//\\\\/}")" --out "$2.csr"
	run holdfast cert self-signed --key "$1" --subject "CN=$2,O=Example" --days 3 --out "$2.pem"
	openssl req -in "$2.csr" -verify -noout >openssl.out 2>&1 || { cat openssl.out >&2; fail "$2: the request"; }
	openssl req -in "$2.csr" -noout -subject -nameopt utf8,sep_comma_plus | grep -qxF "subject=C=DE,O=Ex/ample,CN=Gerät $2" ||
		fail "$2: $(openssl req -in "$2.csr" -noout -subject)"
	openssl req -in "$2.csr" -noout -pubkey | cmp - "$2.pub" || fail "$2: another key in the request"
	openssl x509 -in "$2.pem" -noout -pubkey | cmp - "$2.pub" || fail "$2: another key in the certificate"
	openssl x509 -in "$2.pem" -noout -subject -nameopt RFC2253 | grep -qxF "subject=CN=$2,O=Example" ||
		fail "$2: $(openssl x509 -in "$2.pem" -noout -subject)"
	openssl x509 -in "$2.pem" -noout -checkend 250000 >openssl.out || fail "$2: less than three days"
	openssl x509 -in "$2.pem" -noout -checkend 260000 >openssl.out && fail "$2: more than three days"
	openssl verify -x509_strict -purpose sslclient -CAfile "$2.pem" "$2.pem" >openssl.out 2>&1 ||
		{ cat openssl.out >&2; fail "$2: the certificate"; }
}

# signature NAME WORDS: what the request and the certificate say of theirs
signature() {
	[ "$(openssl req -in "$1.csr" -noout -text | grep -c "Signature Algorithm: $2")" = 1 ] || fail "$1.csr: not $2"
	openssl x509 -in "$1.pem" -noout -text | grep -q "Signature Algorithm: $2" || fail "$1.pem: not $2"
}

conforms() { # conforms URI...
	timeout 120 holdfast hsm check "$@" >out 2>err || { cat out err >&2; fail "hsm check $*"; }
	check_sane
	grep -q '^it conforms: ' out || { cat out >&2; fail "hsm check $*"; }
	! grep -q '^FAIL' out || fail "hsm check $*: $(cat out)"
}

# Files.
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key 2>openssl.out
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ec384.key 2>openssl.out
openssl genpkey -algorithm RSA -out rsa.key 2>openssl.out
openssl genpkey -algorithm RSA-PSS -out pss.key 2>openssl.out
papers ec.key ec
papers "file:$dir/ec384.key" ec384
papers rsa.key rsa
papers pss.key pss
signature ec ecdsa-with-SHA256
signature ec384 ecdsa-with-SHA384
signature rsa sha256WithRSAEncryption
signature pss rsassaPss
[ "$(stat -c %a ec.csr)" = "$(printf '%o' $((0666 & ~0$(umask))))" ] || fail "mode $(stat -c %a ec.csr)"
HOLDFAST_KEY=ec.key run holdfast csr --subject /CN=ec
openssl req -verify -noout -in out >openssl.out 2>&1 || fail "the key's URI is not taken from the environment"
run holdfast --json csr --key ec.key --subject /CN=ec
grep -q '^{"request":"-----BEGIN CERTIFICATE REQUEST-----\\n' out || fail "$(cat out)"

# A certificate authority of openssl's takes the request; what it makes fits the key.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.key -out ca.pem -subj /CN=ca 2>openssl.out
openssl x509 -req -in ec.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out issued.pem -days 2 2>openssl.out
openssl verify -CAfile ca.pem issued.pem >openssl.out || fail "$(cat openssl.out)"
conforms ec.key --cert issued.pem
conforms rsa.key

expect_fail 2 '"CN" is not of the form NAME=VALUE' holdfast csr --key ec.key --subject /CN
expect_fail 2 'string too long' holdfast csr --key ec.key --subject "/CN=$(printf 'a%.0s' {1..65})"
expect_fail 2 'say whose request it is' holdfast csr --key ec.key
expect_fail 2 'days 0 is not a number' holdfast cert self-signed --key ec.key --subject /CN=a --days 0
expect_fail 4 'No such file' holdfast csr --key nothing.key --subject /CN=a
expect_fail 4 'No such file' holdfast csr --key ec.key --subject /CN=a --out nowhere/a.csr
echo old >kept.csr
expect_fail 2 'cannot be taken' holdfast csr --key ec.key --subject /X=a --out kept.csr
[ "$(cat kept.csr)" = old ] || fail "a request that failed has replaced the file"
expect_fail 13 'openssl genpkey' holdfast key make new.key
expect_fail 2 'there are p256' holdfast key make tpm2:handle=0x81000201 --type rsa512
expect_fail 2 'make, list or show' holdfast key
expect_fail 4 'issued.key: No such file' holdfast key show --key issued.key
ls nowhere kept.csr.* 2>/dev/null && fail "something is left"

# A TPM.
start_tpm tpm
T="tcti=$(tcti tpm)"
export TPM2TOOLS_TCTI
TPM2TOOLS_TCTI=$(tcti tpm)
run holdfast key list "tpm2:?$T"
[ ! -s out ] || fail "a new TPM has keys: $(cat out)"
make() { # make URI TYPE: made is the new key's URI
	run holdfast key make "$1" --type "$2"
	made=$(cat out)
}
make "tpm2:handle=0x81000201?$T" p256
papers "$made" tpm-ec
signature tpm-ec ecdsa-with-SHA256
tpm2_readpublic -c 0x81000201 -f pem -o tpm.pub >tpm2.out
openssl pkey -pubin -in tpm.pub -pubout | cmp - tpm-ec.pub || fail "the TPM has another key there"
grep -q 'fixedtpm|fixedparent|sensitivedataorigin' tpm2.out || fail "$(cat tpm2.out)"
conforms "$made"
make "tpm2:handle=0x81000202?$T" rsa2048
papers "$made" tpm-rsa
conforms "$made"
make "tpm2:file=$dir/tss2.pem?$T" p256
papers "$made" tpm-file
grep -q -- '-----BEGIN TSS2 PRIVATE KEY-----' tss2.pem || fail "$(head -1 tss2.pem)"
conforms "$made"
run holdfast key list "tpm2:?$T"
[ "$(sort out)" = "EC P-256         tpm2:handle=0x81000201?$T
RSA 2048         tpm2:handle=0x81000202?$T" ] || fail "$(cat out)"
expect_fail 5 'stays' holdfast key make "tpm2:handle=0x81000201?$T"
openssl pkey -pubin -in tpm.pub -pubout | cmp - tpm-ec.pub || fail "the key was replaced"
# One that tpm2-tools make.
tpm2_createprimary -C o -g sha256 -G ecc -c primary.ctx >tpm2.out
tpm2_flushcontext -t
tpm2_create -C primary.ctx -G ecc:ecdsa -u k.pub -r k.priv >tpm2.out
tpm2_load -C primary.ctx -u k.pub -r k.priv -c k.ctx >tpm2.out
tpm2_flushcontext -t
tpm2_evictcontrol -C o -c k.ctx 0x81000203 >tpm2.out
tpm2_flushcontext -t
papers "tpm2:handle=0x81000203?$T" tpm-tools
conforms "tpm2:handle=0x81000203?$T"

# A token.
module=/usr/lib/softhsm/libsofthsm2.so
export SOFTHSM2_CONF=$dir/softhsm.conf
mkdir tokens
echo "directories.tokendir = $dir/tokens" >softhsm.conf
softhsm2-util --init-token --free --label line7 --pin 12345 --so-pin 54321 >softhsm.out
printf '12345\n' >pin
token() { echo "pkcs11:token=line7$1?module-path=$module&pin-source=$dir/pin"; }
objects() { pkcs11-tool --module $module --token-label line7 --login --pin 12345 "$@" 2>/dev/null; }
for type in p256 p384 rsa2048; do
	make "$(token ";object=key-$type")" $type
	papers "$made" "token-$type"
	papers "$(token ";object=key-$type")" "token-$type"
	objects --list-objects --type pubkey | grep -B9 "label: *key-$type" >objects || fail "pkcs11-tool does not see key-$type"
	number=$(openssl pkey -pubin -in "token-$type.pub" -outform DER | od -An -v -tx1 | tr -d ' \n')
	if [ $type = rsa2048 ]; then # pkcs11-tool reads no P-384 key, not even its own
		objects --read-object --type pubkey --label "key-$type" -o token.der
		openssl pkey -pubin -inform DER -in token.der -pubout | cmp - "token-$type.pub" || fail "$type: another key in the token"
	else
		[[ $number == *"$(sed -n 's/^ *EC_POINT: *04..//p' objects | tail -1)" ]] || fail "$type: another key: $(cat objects)"
	fi
	objects --list-objects --type privkey >objects
	grep -A6 "label: *key-$type" objects | grep -q 'Access:.*sensitive, always sensitive, never extractable' ||
		fail "$type: $(cat objects)"
done
signature token-p256 ecdsa-with-SHA256
signature token-p384 ecdsa-with-SHA384
signature token-rsa2048 sha256WithRSAEncryption
expect_fail 12 'is there already' holdfast key make "$(token ';object=key-p256')"
objects --keypairgen --key-type EC:prime256v1 --label theirs >objects
papers "$(token ';object=theirs')" token-theirs
run holdfast key list "$(token '')"
[ "$(cut -c1-8 out | sort | tr -d '\n')" = 'EC P-256EC P-256EC P-384RSA 2048' ] || fail "$(cat out)"
conforms "$(token ';object=key-p256')" --wrong-pin
grep -q 'refuses a wrong PIN: it says: .*CKR_PIN_INCORRECT' out || fail "$(cat out)"
grep -q 'refuses an object that is not there: it says' out || fail "$(cat out)"
conforms "pkcs11:token=line7;object=key-rsa2048?module-path=$module&pin-source=fd:0" <pin
printf '99999\n' >pin
expect_fail 5 'CKR_PIN_INCORRECT' holdfast csr --key "$(token ';object=theirs')" --subject /CN=a
! grep -rqs 99999 err out || fail "a PIN is shown"
say "keys and certificates: well"
