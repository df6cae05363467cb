#!/usr/bin/env bash
# A custom HSM from its source to a message at the hub: the sample, edited as a user would, linked in and as a shared object; libraries
# with one getter; one that is not position-independent and has names of ours; a program of somebody else's, by the package that is installed.
. "$(dirname "$0")/lib.bash"
[ -n "$source" ] || fail "HOLDFAST_SOURCE is not set"

quietly() { "$@" >log 2>&1 || { cat log >&2; fail "$*"; }; }

# quoted FILE: as the lines of a C string
quoted() { sed 's/.*/"&\\n"/' "$1"; }

# edit NAME FILE: puts a C string in the place of the sample's constant
edit() {
	"$python" - "$1" "$2" example/custom_hsm_example.c <<-'PY'
	import re, sys
	name, text, path = sys.argv[1], open(sys.argv[2]).read(), sys.argv[3]
	c = open(path).read()
	c, n = re.subn(r'(\*const %s =)[^;]*;' % name, lambda m: m[1] + '\n' + text + ';', c, count=1)
	assert n == 1, name
	open(path, 'w').write(c)
	PY
}

# example NAME [CMAKE-OPTIONS...]: builds the edited sample in the folder NAME
example() {
	quietly cmake -S example -B "$1" -DHOLDFAST_INCLUDE="$source/include" "${@:2}"
	quietly make -C "$1"
}

# link LIBRARY: a holdfast with this one in it
link() {
	quietly cmake -S "$source" -B whole -G Ninja -DCMAKE_BUILD_TYPE=Debug -DHF_EMULATOR=OFF -DHF_SANITIZE="$sanitize" "${launch[@]}" \
		-Dskip_samples=ON -Dhsm_custom_lib="$1"
	mv log configured
	quietly ninja -C whole bin/holdfast
}

# onboard PROGRAM HSM DEVICE: registers, and sends two messages
onboard() {
	rm -f "$3.json"
	run "$1" register --hsm "$2" --state "$3.json"
	grep -q "\"deviceId\": *\"$3\"" "$3.json" || { cat "$3.json" >&2; fail "$2 is not $3"; }
	run "$1" send --hsm "$2" --state "$3.json" "one from $2"
	run "$1" send --hsm "$2" --state "$3.json" "two from $2"
	arrived "$3" "one from $2" || fail "$(bodies "$3")"
	arrived "$3" "two from $2" || fail "$(bodies "$3")"
}

launch=()
! command -v ccache >/dev/null || launch=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
sanitize=OFF
! nm "$(command -v holdfast)" | grep -q __asan_init || sanitize=ON

# The sample, as it is: placeholders are no identity, and the sentence says where.
cp -r "$source/samples/custom_hsm" example
example plain -DBUILD_SHARED_LIBS=ON
expect_fail 5 "hsm_client_get_common_name() returned what is no registration id" \
	holdfast identity --hsm "hsm:$dir/plain/libcustom_hsm_example.so"
expect_fail 5 "plain/libcustom_hsm_example.so: hsm_client_get_ek() failed" \
	holdfast identity --hsm "hsm:$dir/plain/libcustom_hsm_example.so?type=tpm"

# The values of a device: a certificate and its key, an EK and an SRK, a symmetric key.
certificate press-3
new_key >meter.key
openssl genrsa -traditional -out ek.key 2048 2>/dev/null
openssl genrsa -traditional -out srk.key 2048 2>/dev/null
echo '"press-3"' >name
echo '"meter"' >meter
sed 's/.*/"&"/' meter.key >meter.text
quoted press-3.pem >cert.text
quoted press-3.key >key.text
quoted ek.key >ek.text
quoted srk.key >srk.text
edit COMMON_NAME name
edit CERTIFICATE cert.text
edit PRIVATE_KEY key.text
edit ENDORSEMENT_KEY ek.text
edit STORAGE_ROOT_KEY srk.text
edit REGISTRATION_NAME meter
edit SYMMETRIC_KEY meter.text
example static
example shared -DBUILD_SHARED_LIBS=ON
so=hsm:$dir/shared/libcustom_hsm_example.so

start_emulator
run holdfast enroll x509 --registration-id press-3 --cert press-3.pem
run holdfast enroll symmetric --registration-id meter --symmetric-key meter.key
run holdfast identity --json --hsm "$so?type=tpm"
ek=$(sed -n 's/.*"endorsement_key": *"\([^"]*\)".*/\1/p' out)
tpm=$(sed -n 's/.*"registration_id": *"\([^"]*\)".*/\1/p' out)
run holdfast enroll tpm --registration-id "$tpm" --endorsement-key "$ek"

# Loaded: the certificate comes first when nobody says which.
onboard holdfast "$so" press-3
onboard holdfast "$so?type=tpm" "$tpm"
onboard holdfast "$so?type=symmetric" meter
grep -q '"wrappedKey"' "$tpm.json" || fail "the state file has lost the key that this HSM does not keep"

# Linked in.
expect_fail 2 "no custom HSM is linked into this program" holdfast identity --hsm hsm:
link "$dir/static/libcustom_hsm_example.a"
onboard whole/bin/holdfast hsm: press-3
onboard whole/bin/holdfast 'hsm:?type=tpm' "$tpm"
onboard whole/bin/holdfast 'hsm:?type=symmetric' meter

# A state file whose key the HSM does not take: DPS gives another one.
"$python" - "$tpm.json" <<'PY'
import base64, json, sys
state = json.load(open(sys.argv[1]))
blob = bytearray(base64.b64decode(state['wrappedKey']))
blob[40] ^= 1
state['wrappedKey'] = base64.b64encode(blob).decode()
json.dump(state, open(sys.argv[1], 'w'))
PY
run whole/bin/holdfast send --hsm 'hsm:?type=tpm' --state "$tpm.json" mended
arrived "$tpm" mended || fail "$(bodies "$tpm")"

# One getter, and none of the functions that begin and end.
less="-Dhsm_client_x509_init=a -Dhsm_client_x509_deinit=b -Dhsm_client_tpm_init=c -Dhsm_client_tpm_deinit=d"
x509=-Dhsm_client_x509_interface=e key=-Dhsm_client_key_interface=f chip=-Dhsm_client_tpm_interface=g
example only_x509 -DCMAKE_C_FLAGS="$less $key $chip"
link "$dir/only_x509/libcustom_hsm_example.a"
onboard whole/bin/holdfast hsm: press-3
expect_fail 5 "linked-in custom HSM has no hsm_client_tpm_interface()" \
	whole/bin/holdfast identity --hsm 'hsm:?type=tpm'
example only_tpm -DCMAKE_C_FLAGS="$less $x509 $key"
link "$dir/only_tpm/libcustom_hsm_example.a"
onboard whole/bin/holdfast hsm: "$tpm"
sed -i 's/^\thsm_client_set_symmetric_key_info,/\tNULL,/' example/custom_hsm_example.c
example only_key -DCMAKE_C_FLAGS="$less $x509 $chip"
link "$dir/only_key/libcustom_hsm_example.a"
onboard whole/bin/holdfast hsm: meter
example no_getter -DCMAKE_C_FLAGS="$x509 $key $chip"
! cmake -S "$source" -B whole -Dhsm_custom_lib="$dir/no_getter/libcustom_hsm_example.a" >log 2>&1 || fail "no getter, no error"
grep -q 'defines none of hsm_client_x509_interface' log || { cat log >&2; fail "it does not say what is missing"; }

# Not position-independent, with names that Holdfast and jansson have inside, in two archives that need each other.
cat >>example/custom_hsm_example.c <<'C'
int json_object(void);
int hsm_open(void);
int acme(int);
int acme_table[4] = { 7, 8, 9, 10 };
int json_object(void) { return acme_table[acme(3) & 3]; }
int hsm_open(void) { return 2; }
__attribute__((constructor)) static void try(void) { if (json_object() + hsm_open() != 10) abort(); }
C
echo 'int json_object(void); int acme(int); int acme(int i) { return i == 3 ? 1 : json_object(); }' >acme.c
example not_pic -DCMAKE_C_FLAGS="-fno-pic -fno-pie"
quietly cc -fno-pic -fno-pie -c acme.c
ar rc libacme.a acme.o
link "$dir/not_pic/libcustom_hsm_example.a;$dir/libacme.a;-lm"
grep -q 'custom_hsm: not position-independent' configured || [ "$(uname -m)" != x86_64 ] || fail "$(cat configured)"
onboard whole/bin/holdfast hsm: press-3
run whole/bin/holdfast identity --json --hsm hsm:
"$python" -c 'import json, sys; assert json.load(open("out"))["registration_id"] == "press-3"' || fail "$(cat out)"

# Holdfast is there already: a program of somebody else's takes the library by Holdfast's CMake package.
quietly cmake -S "$source" -B whole -Dhsm_custom_lib=
quietly ninja -C whole
quietly cmake --install whole --prefix "$dir/usr"
mkdir program
cat >program/program.c <<'C'
#include <stdio.h>
#include <holdfast.h>

int
main(void)
{
	struct hf *h = hf_new();
	struct hf_who who;

	if (h == NULL || hf_set(h, "hsm", "hsm:") < 0 || hf_identify(h, &who) < 0)
		return fprintf(stderr, "%s\n", h == NULL ? "" : hf_error(h)->text), 1;
	printf("%s %s\n", who.kind, who.registration_id);
	hf_free(h);
	return 0;
}
C
cat >program/CMakeLists.txt <<'TEXT'
cmake_minimum_required(VERSION 3.18)
project(program LANGUAGES C)
find_package(holdfast 0.1 REQUIRED)
holdfast_custom_hsm(acme ${archive} -lcrypto)
add_executable(with_shared program.c)
target_link_libraries(with_shared acme holdfast::holdfast)
add_executable(with_static program.c)
target_link_libraries(with_static acme holdfast::holdfast_static)
TEXT
flags=
[ $sanitize = OFF ] || flags=-fsanitize=address,undefined
quietly cmake -S program -B user -G Ninja -DCMAKE_PREFIX_PATH="$dir/usr" -DCMAKE_C_FLAGS="$flags" \
	-Darchive="$dir/static/libcustom_hsm_example.a"
quietly ninja -C user
for program in user/with_shared user/with_static; do
	run $program
	grep -qx 'x509 press-3' out || fail "$program: $(cat out)"
done

# A new archive under the same name is looked at and linked anew.
cp only_key/libcustom_hsm_example.a static/libcustom_hsm_example.a
quietly ninja -C user
run user/with_static
grep -qx 'symmetric meter' out || fail "$(cat out)"
