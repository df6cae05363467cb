#!/usr/bin/env bash
# Each header that programs written for azure-iot-sdk-c include compiles alone, twice in a file, as C11, as GNU C99 and as C++17; all of them
# together give C++ the names that C has. The table, the exported names and what is not written yet fit together.
set -euo pipefail
cd "${HOLDFAST_SOURCE:-$(dirname "$0")/../..}"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
warn=(-Wall -Wextra -Wpedantic -Werror -Iinclude)
python3 tests/sdk/surface.py --lists src/sdk/exports.txt

one() { # one HEADER DIR
	printf '#include "%s"\n#include "%s"\nextern int nothing;\n' "$1" "$1" >"$2/h.c"
	cc "${@:3}" -std=c11 -fsyntax-only "$2/h.c"
	cc "${@:3}" -std=gnu99 -Wno-pedantic -fsyntax-only "$2/h.c"
	c++ "${@:3}" -std=c++17 -fsyntax-only -x c++ "$2/h.c"
}

n=0
for header in $(python3 tests/sdk/surface.py --headers) \
	azure_macro_utils/macro_utils.h umock_c/umock_c_prod.h azure_c_shared_utility/{macro_utils,umock_c_prod}.h; do
	one "$header" "$dir" "${warn[@]}" || { echo "headers.sh: $header does not stand alone" >&2; exit 1; }
	n=$((n + 1))
done

# C++: a program of this kind, as the samples are written.
cat >"$dir/program.cpp" <<'TEXT'
#include <cstdio>
#include "azure_prov_client/prov_device_client.h"
#include "iothub_device_client_ll.h"
#include "iothub_client_options.h"
#include "azure_c_shared_utility/xlogging.h"
#include "azure_c_shared_utility/threadapi.h"
MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID(PROV_DEVICE_RESULT, PROV_DEVICE_RESULT_VALUE);
#define COLOUR_VALUES RED, GREEN
MU_DEFINE_ENUM(COLOUR, COLOUR_VALUES);
MU_DEFINE_ENUM_STRINGS(COLOUR, COLOUR_VALUES);
extern "C" {
MOCKABLE_FUNCTION(, int, none);
MOCKABLE_FUNCTION(, int, two, int, a, const char *, b);
MOCKABLE_FUNCTION_WITH_RETURNS(, int, one, int, a)(0, 1);
}
static int STATIC_VAR_UNUSED unused;
int main()
{
	LogInfo("%s", MU_ENUM_TO_STRING(PROV_DEVICE_RESULT, PROV_DEVICE_RESULT_OK));
	LogError("%" PRI_MU_ENUM, MU_ENUM_VALUE(COLOUR, GREEN));
	ThreadAPI_Sleep(0);
	return none() + one(1) + two(1, OPTION_LOG_TRACE) + (GREEN == 2) + (COLOUR_INVALID == 0);
}
TEXT
c++ -Wall -Wextra -Werror -Iinclude -std=c++17 -c -o "$dir/program.o" "$dir/program.cpp"
for name in ThreadAPI_Sleep xlogging_get_log_function none one two; do
	nm -u "$dir/program.o" | grep -qw "$name" || { echo "headers.sh: C++ calls $name by another name" >&2; exit 1; }
done
echo "$n headers"
