#!/usr/bin/env bash
# device.sh OUT CALLS EXPORTS OBJECT...: links the device side into one object whose calls to others are trip_*. Those that
# CALLS does not have are left as they are, and listed in OUT.escaped, which a test wants empty.
set -euo pipefail
out=$1 calls=$2 exports=$3
shift 3
"${CC:-cc}" -r -nostdlib -o "$out.all" "$@"
nm -u "$out.all" | awk '{ sub(/@.*/, "", $2); print $2 }' | sort -u >"$out.names"
awk -F '[(,)]' -v names="$out.names" -v escaped="$out.escaped" '
	/^(CALL|FRAIL)\(/ { split($0, f, ", *"); kind[f[2]] = "wrapped" }
	/^(HAND|TPM)\(/ { kind[$2] = "wrapped" }
	/^SURE\(/ { kind[$2] = "sure" }
	END {
		printf "" >escaped
		while ((getline name < names) > 0) {
			if (name ~ /^(__asan_|__ubsan_|__sanitizer_|_GLOBAL_OFFSET_TABLE_)/ || kind[name] == "sure")
				continue
			if (kind[name] == "wrapped") {
				print name, "trip_" name
				continue
			}
			printf "src/ calls %s: tests/fault/calls.h must say how it fails, or why it cannot\n", name >escaped
		}
	}' "$calls" >"$out.renames"
# The service side beside it has a hf_hsm_link() of its own.
sed 's/^hf_hsm_link$/device_hsm_link/' "$exports" >"$out.exports"
echo hf_hsm_link device_hsm_link >>"$out.renames"
objcopy --keep-global-symbols="$out.exports" --redefine-syms="$out.renames" "$out.all" "$out"
rm "$out.all" "$out.names" "$out.renames" "$out.exports"
