#!/usr/bin/env bash
# The conformance kit meets custom HSMs that behave, and those that do not: each fault is told by the name of its function, and
# nothing crashes but the library.
. "$(dirname "$0")/lib.bash"
[ -n "$build" ] || fail "HOLDFAST_BUILD is not set"
export FIXTURE_DIR=$dir/fixture FIXTURE_FAULT=
fixture=$build/tests/custom
[ -f "${fixture}_all.so" ] || fail "there is no ${fixture}_all.so"

# check STATUS LIBRARY OPTIONS...
check() {
	local want=$1 got=0
	shift
	timeout 120 holdfast hsm check "$@" >out 2>err || got=$?
	check_sane
	[ $got = "$want" ] || { cat out err >&2; fail "status $got, not $want: hsm check $* ($FIXTURE_FAULT)"; }
}
says() { grep -qE -e "$1" out err || { cat out err >&2; fail "it does not say \"$1\" ($FIXTURE_FAULT)"; }; }

mkdir fixture
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out fixture/key.pem 2>openssl.out
cp fixture/key.pem fixture/key.txt
run holdfast cert self-signed --key fixture/key.pem --subject /CN=line7-press.3 --out fixture/cert.pem

# Well-behaved, by URI and by path.
check 0 "hsm:${fixture}_all.so?type=x509"
says '^ok +X.509: hands out certificate, name and key: registration id line7-press.3, certificates: 1$'
says '^ok +TLS 1.2 handshake as a client: the server has seen the certificate of this key$'
says '^ok +TLS 1.3 handshake'
says '^ok +signs from 4 threads at once: 40 signatures$'
says '^it conforms: '
check 0 "${fixture}_v2.so" --write
says '^ok +keeps its private part to itself$'
says '^cannot +signs with ECDSA and SHA-512: the key does not offer it$'
says '^ok +X.509: refuses to make a key where there is one .*it returned 5'
check 0 "${fixture}_symkey.so"
says '^ok +symmetric key: hands out name and key: registration id'
says '^cannot +symmetric key: takes another name and key .*--write'
says '^cannot +has hsm_client_tpm_interface\(\): no$'
check 0 "${fixture}_symkey.so" --write
FIXTURE_FAULT=hsm_client_activate_identity_key:fail check 5 "${fixture}_tpm.so" # its keys are none of a TPM's
says '^FAIL +TPM: hands out its public keys .*hsm_client_get_ek\(\) returned what DPS will not take'
says '^ok +TPM: refuses a key that is none'
says '^cannot +TPM: signs'
check 5 "${fixture}_tpm.so"
says '^FAIL +TPM: refuses a key that is none .*: it was taken$'
says '^ok +TPM: signs .*: the same 32 bytes each time$'
mv fixture/cert.pem cert.pem
check 0 "${fixture}_v2.so"
says '^cannot +X.509: hands out certificate, name and key: there is no certificate yet$'
says '^ok +signs a certificate request$'
check 0 "${fixture}_v2.so" --cert cert.pem
mv cert.pem fixture/cert.pem
check 0 "${fixture}_symkey.so" --json
says '^\{"conforms":true,"checks":\[\{"verdict":"ok","check":"is loaded'

# One fault at a time.
faulty() { # faulty LIBRARY FUNCTION FAULT...
	local library=$1 function=$2
	shift 2
	for fault in "$@"; do
		FIXTURE_FAULT=$function:$fault check 5 "$library"
		says "^FAIL .*$function\\(\\)"
	done
}
faulty "${fixture}_x509.so" hsm_client_x509_interface null
faulty "${fixture}_x509.so" hsm_client_x509_create null
for function in hsm_client_get_cert hsm_client_get_key hsm_client_get_common_name; do
	faulty "${fixture}_x509.so" $function null empty garbage huge
	FIXTURE_FAULT=hsm_client_x509_interface:$function check 5 "${fixture}_x509.so"
	says "^FAIL .*$function\\(\\) is NULL in its table"
done
faulty "${fixture}_v2.so" hsm_client_x509_v2_interface small garbage
for function in hsm_client_get_public_key hsm_client_get_algorithms; do
	faulty "${fixture}_v2.so" $function null empty garbage huge
done
faulty "${fixture}_v2.so" hsm_client_sign_digest fail null empty garbage huge
faulty "${fixture}_tpm.so" hsm_client_get_ek fail null empty garbage huge
faulty "${fixture}_tpm.so" hsm_client_get_srk fail null empty huge
faulty "${fixture}_tpm.so" hsm_client_sign_with_identity null empty garbage huge
faulty "${fixture}_symkey.so" hsm_client_get_symm_key null empty garbage huge
faulty "${fixture}_symkey.so" hsm_client_get_registration_name null empty garbage huge
faulty "${fixture}_symkey.so" hsm_client_key_create null
check 5 "${fixture}_none.so"
says 'has none of the functions of a custom HSM'
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out fixture/key.txt 2>openssl.out
check 5 "${fixture}_x509.so"
says '^FAIL .*does not belong to the certificate'

# What only a process of its own can tell: a crash, descriptors that stay, a key that changes.
cat >moody.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hsm_client_data.h"
static int sessions;
static int mood(const char *m) { return strcmp(getenv("MOOD"), m) == 0; }
static HSM_CLIENT_HANDLE create(void)
{
	sessions++;
	if (mood("leak"))
		(void)open("/dev/null", O_RDONLY);
	return &sessions;
}
static void destroy(HSM_CLIENT_HANDLE h) { (void)h; }
static char *name(HSM_CLIENT_HANDLE h) { (void)h; return strdup("meter-1"); }
static char *key(HSM_CLIENT_HANDLE h)
{
	char text[] = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
	(void)h;
	if (mood("crash"))
		abort();
	if (mood("change"))
		text[0] += sessions % 20;
	return strdup(text);
}
const HSM_CLIENT_KEY_INTERFACE *hsm_client_key_interface(void)
{
	static const HSM_CLIENT_KEY_INTERFACE t = { create, destroy, key, name, NULL };
	return &t;
}
C
cc -shared -fPIC -I"$source/include" moody.c -o moody.so
MOOD=good check 0 moody.so --write
says 'has no hsm_client_set_symm_key_info'
MOOD=crash check 5 moody.so
says 'it crashed \(signal 6, Aborted\) while it was checked that it: symmetric key: hands out name and key'
says '^ok +is loaded'
MOOD=leak check 5 moody.so
says '^FAIL +is opened and closed 20 times: 20 descriptors are left open$'
MOOD=change check 5 moody.so
says '^FAIL +symmetric key: is the same in each session'

# And what is no library at all.
echo text >text.so
check 5 text.so
says '^FAIL +is loaded, and begins: .*text.so cannot be loaded'
check 4 nothing.so
check 5 "hsm:$dir/nothing.so"
check 5 hsm:relative.so
says 'absolute path'
check 2 ''
expect_fail 2 'say what to check' holdfast hsm
say "the conformance kit: well"
