#!/usr/bin/env bash
# The conformance kit under valgrind: custom HSMs that behave and that do not, a key in a file. HOLDFAST_BUILD is a build without
# sanitizers. With `whole`, each fault of each function.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HOLDFAST_BUILD:-$PWD/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export FIXTURE_DIR=$dir FIXTURE_FAULT=
bad=0 checks=0

for kind in "x509 WITH_X509 WITH_TPM WITH_SYMKEY WITH_INIT" "v2 WITH_X509 WITH_X509_V2 WITH_INIT" "tpm WITH_TPM" "symkey WITH_SYMKEY"; do
	read -r name with <<<"$kind"
	# shellcheck disable=SC2086
	cc -g -shared -fPIC -Wno-unused-function -Iinclude -D${with// / -D} tests/fixture/custom_hsm.c -o "$dir/$name.so" -lcrypto
done
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/key.pem" 2>/dev/null
cp "$dir/key.pem" "$dir/key.txt"
"$build/bin/holdfast" cert self-signed --key "$dir/key.pem" --subject /CN=press --out "$dir/cert.pem" --quiet

# check FAULT URI: with this fault, or with none; whatever the verdict is, valgrind has nothing to say
check() {
	local status=0
	checks=$((checks + 1))
	FIXTURE_FAULT=$1 timeout 300 valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
		--trace-children=yes --child-silent-after-fork=no --suppressions=tests/valgrind.supp \
		"$build/bin/holdfast" hsm check "$2" >"$dir/out" 2>"$dir/err" || status=$?
	case "$status:${1:-none}" in
	0:none | 5:?*) ! grep -qE '^==[0-9]+== ' "$dir/err" && return 0 ;;
	esac
	echo "valgrind: hsm check $2 with fault \"$1\" ended with status $status" >&2
	grep -E '^==|^FAIL' "$dir/err" "$dir/out" | head -n 40 >&2
	bad=1
}

check "" "$dir/key.pem"
check "" "hsm:$dir/x509.so?type=x509"
check "" "hsm:$dir/v2.so"
check "" "hsm:$dir/symkey.so"
faults() { # faults LIBRARY FUNCTION FAULT...
	local library=$1 function=$2 fault
	shift 2
	for fault; do check "$function:$fault" "hsm:$dir/$library"; done
}
if [ "${1:-}" = whole ]; then
	for function in hsm_client_get_cert hsm_client_get_key hsm_client_get_common_name; do
		faults "x509.so?type=x509" $function null empty garbage huge
	done
	for function in hsm_client_get_public_key hsm_client_get_algorithms hsm_client_sign_digest; do
		faults v2.so $function null empty garbage huge
	done
	for function in hsm_client_get_ek hsm_client_get_srk hsm_client_sign_with_identity; do
		faults tpm.so $function null empty huge
	done
	for function in hsm_client_get_symm_key hsm_client_get_registration_name; do
		faults symkey.so $function null empty garbage huge
	done
else
	faults "x509.so?type=x509" hsm_client_get_key garbage
	faults v2.so hsm_client_sign_digest huge
	faults symkey.so hsm_client_get_symm_key null
fi
[ $bad = 0 ] && echo "valgrind: nothing to say in $checks checks"
exit $bad
