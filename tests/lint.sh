#!/usr/bin/env bash
# What a machine can see of the house rules. One check a call: format includes calls names collide words.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HOLDFAST_BUILD:-$PWD/build}
bad=0
say() { printf 'lint: %s\n' "$*" >&2; bad=1; }

format() {
	local f
	for f in $(git ls-files '*.c' '*.h'); do
		clang-format-14 --dry-run -Werror "$f" >/dev/null 2>&1 || say "$f: not as clang-format writes it"
	done
}

rank() {
	case $1 in
	sdk) echo 8 ;; hub) echo 7 ;; dps) echo 6 ;; msg) echo 5 ;; stream) echo 4 ;; mqtt | http | amqp) echo 3 ;; hsm) echo 2 ;; base) echo 1 ;;
	*) echo 0 ;;
	esac
}

# sdk -> hub -> dps -> msg -> stream -> mqtt, http, amqp -> hsm -> base, only to the right
includes() {
	local file inc from to
	while IFS=: read -r file inc; do
		from=$(echo "$file" | cut -d/ -f2)
		to=${inc%%/*}
		[ "$to" != "$inc" ] || continue
		[ "$from" = "$to" ] || [ "$(rank "$(basename "$from" .c)")" = 0 ] || [ "$(rank "$from")" -gt "$(rank "$to")" ] ||
			say "$file includes $inc, which stands to its left"
	done < <(grep -RoE '^#include "[^"]+"' src --include='*.[ch]' | sed -E 's/#include "([^"]+)"/\1/')
	grep -RlE '^#include "(tools|emulator)/' src && say "src/ includes tools/ or emulator/"
	grep -RhoE '^#include "[^"]+"' tools --include='*.[ch]' | sort -u |
		grep -vE '"(holdfast|tool)\.h"' && say "tools/ may include holdfast.h alone"
	while IFS=: read -r file inc; do
		[ -f "include/$inc" ] || [ -f "$(dirname "$file")/$inc" ] ||
			say "$file includes $inc; samples/ may include what include/ has"
	done < <(grep -RoE '^#include "[^"]+"' samples --include='*.[ch]' | sed -E 's/#include "([^"]+)"/\1/')
	return 0
}

# Clocks, sockets, resolvers and randomness: only where listed.
calls() {
	local object symbol where
	while read -r object; do
		where=${object#"$build"/src/CMakeFiles/*_objects.dir/}
		where=${where%.o}
		while read -r symbol; do
			case "$symbol:$where" in
			clock_gettime:base/clock.c) ;;
			clock_now:holdfast.c | clock_now:check_sign.c) ;;
			getrandom:holdfast.c | RAND_bytes:hsm/pss.c | RAND_bytes:stream/ws.c) ;;
			send:stream/tcp.c | recv:stream/tcp.c | setsockopt:stream/tcp.c) ;;
			getaddrinfo:stream/tcp.c | freeaddrinfo:stream/tcp.c) ;;
			socket:stream/tcp_race.c | connect:stream/tcp_race.c | setsockopt:stream/tcp_race.c) ;;
			freeaddrinfo:stream/tcp_race.c | getnameinfo:stream/tcp_race.c) ;;
			epoll_*:stream/tcp_race.c | timerfd_*:stream/tcp_race.c) ;;
			poll:holdfast.c | poll:check_sign.c) ;;
			epoll_*:stream/watch.c) ;;
			eventfd:base/work.c | pthread_create:base/work.c) ;;
			pthread_create:sdk/thread.c | nanosleep:sdk/thread.c | clock_gettime:sdk/thread.c) ;;
			clock_now:sdk/time.c | time:sdk/time.c | RAND_bytes:sdk/uuid.c) ;;
			*) say "src/$where calls $symbol" ;;
			esac
		done < <(nm -u "$object" | awk '{print $2}' | sed 's/@.*//' | grep -xE \
			'clock_gettime|clock_now|time|gettimeofday|getrandom|rand|random|RAND_bytes|RAND_priv_bytes|socket|connect|send|recv|sendto|recvfrom|accept|bind|listen|getsockopt|setsockopt|getaddrinfo|freeaddrinfo|getnameinfo|poll|select|epoll_[a-z0-9]*|timerfd_[a-z]*|eventfd|pthread_create|sleep|usleep|nanosleep|fork|system|popen' || true)
	done < <(find "$build/src/CMakeFiles/hf_objects.dir" "$build/src/CMakeFiles/sdk_objects.dir" -name '*.o')
}

# What others can see: exports.txt and sdk/exports.txt, in the archive and in the shared library. The SDK's are weak.
names() {
	local want
	want=$(sed 's/$/ T/' src/exports.txt; sed 's/$/ W/' src/sdk/exports.txt)
	diff <(sort <<<"$want") <(nm -g --defined-only "$build/src/libholdfast.a" | awk 'NF == 3 {print $3, $2}' | sort) ||
		say "the archive's global names are not those of src/exports.txt and src/sdk/exports.txt"
	diff <(sort <<<"$want") <(nm -D --defined-only "$build/src/libholdfast.so" | awk '{print $3, $2}' | sort) ||
		say "the shared library's names are not those of src/exports.txt and src/sdk/exports.txt"
	find "$build/src/CMakeFiles/sdk_objects.dir" -name '*.o' -exec nm -u {} + | awk 'NF == 2 {print $2}' | sort -u | grep -xFf src/sdk/exports.txt |
		grep -vE '^(STRING|BUFFER|Map|UUID|MU|Prov_Device|IoTHub[A-Za-z]*|xlogging)_' && say "src/sdk calls names that a program may have for something else"
	python3 tests/sdk/surface.py --lists src/sdk/exports.txt || say "src/sdk/exports.txt and tests/sdk/not_yet.txt are not what surface.tsv has"
	diff <(sort src/exports.txt) <(grep -oE '\bhf_[a-z_]+\(' include/holdfast.h | tr -d '(' | sort -u | grep -v '^hf_$') ||
		say "include/holdfast.h and src/exports.txt name different functions"
}

# A program with names like ours inside links with the archive, and both work.
collide() {
	local dir
	dir=$(mktemp -d)
	# shellcheck disable=SC2046
	cc -std=c11 -Wall -Iinclude tests/collide.c "$build/src/libholdfast.a" $(pkg-config --libs openssl tss2-esys tss2-mu tss2-rc tss2-tctildr p11-kit-1) -lwslay -l:libqpid-proton-core.so.10 \
		-pthread -o "$dir/collide" && "$dir/collide" "$dir/key" >"$dir/out" 2>&1 || { cat "$dir/out" >&2; say "tests/collide.c"; }
	rm -rf "$dir"
}

# Promises for later have no place in what is done.
words() {
	git grep -nwE 'TODO|FIXME|XXX' -- ':!tests/lint.sh' && say "promises for later"
	return 0
}

"$1"
exit $bad
