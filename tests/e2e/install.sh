#!/usr/bin/env bash
# What is installed can be used: the program of holdfast(3) is built by pkg-config (shared and static) and by CMake, and runs.
# What a build leaves out is really left out.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
quietly() { "$@" >log 2>&1 || { cat log >&2; die "$1 failed"; }; }

build() { # build FOLDER OPTIONS...
	quietly cmake -S "$HOLDFAST_SOURCE" -B "$@" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DHF_EMULATOR=OFF
	quietly ninja -C "$1"
}

# Without a scope and a TPM it has to say what is wrong, in the library's words.
says() { # says STATUS WORDS PROGRAM...
	local status=0
	"${@:3}" >out 2>&1 || status=$?
	[ $status = "$1" ] || { cat out >&2; die "$3: exit status $status, not $1"; }
	grep -q "$2" out || { cat out >&2; die "$3 does not say \"$2\""; }
}

build whole
quietly cmake --install whole --prefix "$dir/usr"
sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$HOLDFAST_SOURCE/man/holdfast.3" | sed '/^\./d' |
	sed 's|device:/dev/tpmrm0|device:/nowhere|' >program.c
[ -s program.c ] || die "holdfast(3) has no example"
lib=$(dirname "$(find usr -name libholdfast.a)")
PKG_CONFIG_PATH=$dir/$lib/pkgconfig
export PKG_CONFIG_PATH

read -ra flags < <(pkg-config --cflags --libs holdfast)
quietly cc -Wall -Wextra -Werror -std=c11 -o shared program.c "${flags[@]}" -Wl,-rpath,"$dir/$lib"
says 1 'there is no /nowhere' ./shared 0ne00000000 text
[[ $(ldd shared) == *libholdfast.so.0* ]] || die "the shared library is not used"

read -ra flags < <(pkg-config --static --cflags --libs holdfast)
quietly cc -Wall -Wextra -Werror -std=c11 -o static program.c "${flags[@]/#-lholdfast/-l:libholdfast.a}"
says 1 'there is no /nowhere' ./static 0ne00000000 text
[[ $(ldd static) != *libholdfast* ]] || die "the archive is not used"

for header in holdfast.h hsm_client_data.h; do
	quietly c++ -Wall -Wextra -Werror -fsyntax-only -x c++ usr/include/$header
done

cat >CMakeLists.txt <<'TEXT'
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES C)
find_package(holdfast 0.1 REQUIRED)
add_executable(with_shared program.c)
target_link_libraries(with_shared holdfast::holdfast)
add_executable(with_static program.c)
target_link_libraries(with_static holdfast::holdfast_static)
TEXT
quietly cmake -S . -B user -G Ninja -DCMAKE_PREFIX_PATH="$dir/usr"
quietly ninja -C user
says 1 'there is no /nowhere' user/with_shared 0ne00000000 text
says 1 'there is no /nowhere' user/with_static 0ne00000000 text

# A program written for azure-iot-sdk-c finds its headers, and its libraries by their names.
mkdir -p sdk
cat >sdk/CMakeLists.txt <<'TEXT'
cmake_minimum_required(VERSION 3.18)
project(sdk LANGUAGES C)
find_package(holdfast 0.1 REQUIRED)
add_executable(sdk sdk.c)
target_link_libraries(sdk iothub_client iothub_client_mqtt_transport prov_device_client hsm_security_client aziotsharedutil)
TEXT
cat >sdk/sdk.c <<'TEXT'
#include <stdio.h>
#include "azure_c_shared_utility/xlogging.h"
#include "azure_prov_client/prov_device_client.h"
#include "iothub.h"
#include "iothub_client.h"
#include "iothub_device_client.h"
#include "iothubtransportmqtt.h"
int main(void)
{
	IOTHUB_MESSAGE_HANDLE m = IoTHubMessage_CreateFromString("text");
	IoTHubMessage_SetMessageId(m, "id-1");
	LogInfo("%s %s", IoTHubMessage_GetString(m), MU_ENUM_TO_STRING(IOTHUB_CLIENT_RESULT, IOTHUB_CLIENT_ERROR));
	IoTHubMessage_Destroy(m);
	return IoTHub_Init();
}
TEXT
quietly cmake -S sdk -B sdk/build -G Ninja -DCMAKE_PREFIX_PATH="$dir/usr"
quietly ninja -C sdk/build
says 0 '^text IOTHUB_CLIENT_ERROR$' sdk/build/sdk
read -ra flags < <(pkg-config --static --cflags --libs holdfast)
quietly cc -Wall -Wextra -Werror -std=c11 -o sdk/static sdk/sdk.c "${flags[@]/#-lholdfast/-l:libholdfast.a}"
says 0 '^text IOTHUB_CLIENT_ERROR$' sdk/static

says 0 '^holdfast 0\.' usr/bin/holdfast --version
for page in man1/holdfast.1 man3/holdfast.3 man5/holdfast-state.5; do
	[ -f "usr/share/man/$page" ] || die "$page is not installed"
done

build less -Dhsm_type_sastoken=OFF -Dhsm_type_x509=OFF -Duse_sdk=OFF
[[ $(nm -g less/src/libholdfast.a) != *IoTHub* ]] || die "a build without the SDK's interface has its names"
quietly cmake --install less --prefix "$dir/less/usr"
[ ! -e less/usr/include/iothub.h ] || die "a build without the SDK's interface installs its headers"
[[ $(ldd less/bin/holdfast) != *tss2* ]] || die "a build without TPM needs tpm2-tss"
says 13 'without TPM' less/bin/holdfast identity --tpm
says 13 'without X.509' less/bin/holdfast identity --cert c --key k
echo dGhpcyBpcyBub3QgYSBzZWNyZXQsIGF0IGFsbCEhISE= >key
says 0 '^kind *symmetric$' less/bin/holdfast identity --symmetric-key key --registration-id dev
