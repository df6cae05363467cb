#!/usr/bin/env bash
# kill -9 of `holdfast register` at every TPM command, before the TPM gets it and after it has obeyed: whatever is left,
# `holdfast send` makes it whole. Once the TPM is reset with the device, once it stays and flushes what the dead one had
# loaded, as the kernel's resource manager does. And at moments of chance.
. "$(dirname "$0")/lib.bash"

at_once=6
start_emulator
start_tpm blank # nothing in it yet
cp -a blank empty
run holdfast identity --json --tpm="$(tcti blank)"
ek=$($python -c 'import json; print(json.load(open("out"))["endorsement_key"])')
enroll() { holdfast --quiet enroll tpm --registration-id "$1" --endorsement-key "$ek" >/dev/null; }

# A chip that has been in use: EK, SRK, a key of the hub's. All cases begin with it, under an id of their own each.
enroll before
run holdfast register --registration-id before --tpm="$(tcti blank)"
kill "${tpm_pid[blank]}"
wait "${tpm_pid[blank]}" || true
mv blank used

# one CHIP N before|after, or CHIP N seconds: killed at the Nth command, or after so long
one() {
	local name=$1-$2-$3 tpm status=0
	exec >"$name.log" 2>&1
	cp -a "$1" "$name"
	start_tpm "$name"
	tpm=$(tcti "$name")
	trap 'kill "${tpm_pid[$name]}"' EXIT
	enroll "$name"
	register=(holdfast register --registration-id "$name" --state "$name.json")
	if [ "$3" = seconds ]; then
		timeout -s KILL "$2" "${register[@]}" --tpm="$tpm" || true
	else
		timeout 60 $python "$here/tpm_relay.py" "$name.relay" "$name.sock" "$2" "$3" \
			"${register[@]}" --tpm="swtpm:path=$dir/$name.relay" >"$name.passed" || status=$?
		[ $status -le 1 ] || { echo "the relay ended with $status"; exit 1; }
	fi
	if [ "$3" = after ]; then
		kill "${tpm_pid[$name]}"
		wait "${tpm_pid[$name]}" || true
		start_tpm "$name"
	else
		for kind in transient-object loaded-session saved-session; do tpm2_flushcontext -T "$tpm" --$kind; done
	fi
	timeout 60 holdfast send --registration-id "$name" --state "$name.json" --tpm="$tpm" "hello from $name" || exit 1
	arrived "$name" "hello from $name" || { echo "what was acknowledged is not there"; exit 1; }
	[ -z "$(tpm2_getcap -T "$tpm" handles-transient)$(tpm2_getcap -T "$tpm" handles-loaded-session)" ] ||
		{ echo "something is left in the TPM"; exit 1; }
	[ "$(tpm2_getcap -T "$tpm" handles-persistent | tr -d '\n')" = "- 0x81000001- 0x81000100- 0x81010001" ] ||
		{ tpm2_getcap -T "$tpm" handles-persistent; exit 1; }
	! grep -q wrappedKey "$name.json" || { echo "the wrapped key is still in the state file"; exit 1; }
	exit $((status == 1 ? 42 : 0))
}

failed=0 running=()
join() {
	local name status
	for name in ${running[@]+"${running[@]}"}; do
		status=0
		wait "${name#*:}" || status=$?
		name=${name%:*}
		if [ $status = 42 ]; then
			ended=1
		elif [ $status != 0 ]; then
			echo "FAIL: $name" >&2
			cat "$name.log" >&2
			failed=1
		fi
	done
	running=()
}
try() {
	(one "$@") &
	running+=("$1-$2-$3:$!")
	[ ${#running[@]} -lt $at_once ] || join
}

cases() { # cases CHIP FROM TO: every command, up to one that comes no more
	local n
	ended=0
	for ((n = $2; n <= $3 && ended == 0; n++)); do
		try "$1" $n before
		try "$1" $n after
	done
	join
}

cases used 1 60
[ $ended = 1 ] || fail "a registration takes more than 60 TPM commands"
whole=$(cat used-*.passed | awk 'NF > most { most = NF; line = $0 } END { print line }')
say "killed at each of $(wc -w <<<"$whole") commands, before and after: $whole"
[[ $whole == *"EvictControl EvictControl"* ]] || fail "no two evictions among them"
cases empty 1 8

# Between the commands there are files and the network.
for _ in 1 2 3 4 5 6; do
	try used "0.$((RANDOM % 300 + 100))" seconds
	try used "1.$((RANDOM % 400 + 100))" seconds
done
join
[ $failed = 0 ]
