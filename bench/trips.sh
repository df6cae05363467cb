# How often the way to the service and back is gone until the first telemetry is acknowledged. Of run.sh.
ways=(mqtt mqtt-ws amqp amqp-ws http)
far=100 # ms, each way

far_away() {
	far_connect=$(sed 's/=127/=@127/g' <<<"$HOLDFAST_CONNECT")
	mapfile -t places < <(tr , '\n' <<<"$HOLDFAST_CONNECT" | sed 's/.*=//' | sort -u)
}

who() { # who KIND NUMBER: its identity, in `who`
	case $1 in
	symmetric) who=("group-key=$dir/meters.key" "registration-id=meter-$2" "device-id=meter-$2") ;;
	x509) who=("cert=$dir/device/$2.pem" "key=$dir/device/$2.key" "device-id=bench-$2") ;;
	tpm) who=("tpm=swtpm:path=$dir/far-tpm-$2.sock" "registration-id=far-tpm-$2") ;;
	esac
	who+=("trust=$HOLDFAST_TRUST")
}

# trip NAME KIND NUMBER SETTING...: in the background, in $dir/trips/NAME
trip() {
	local name=$1 kind=$2 number=$3
	shift 3
	who "$kind" "$number"
	"$bin/bench-relay" $far "${places[@]}" -- "$bin/bench-device" trips "${who[@]}" "connect=$far_connect" "$@" \
		>"$dir/trips/$name" 2>"$dir/trips/$name.log" &
	trips+=($!)
}
trips_end() {
	local pid
	for pid in "${trips[@]}"; do
		wait "$pid" || true # what did not work leaves no figure
	done
	trips=()
}

# counted NAME: from the first connection to the first acknowledgement; and from that behind the cut to the second one
counted() {
	awk -v there=$far -v waited="$([[ $1 != dps-* ]] || echo 1000)" '
		$1 == "opened" { last = $2; if (!first) first = $2 }
		$1 == "sent" { t[++n] = (n > 1 ? $2 - last : $2 - first - waited) / (2 * there) }
		END { printf "%s %s\n", (n > 0 ? sprintf("%.0f", t[1]) : "-"), (n > 1 ? sprintf("%.0f", t[2]) : "-") }' "$dir/trips/$1"
}

known() { # known KIND NUMBER: the hub has heard of this device
	who "$1" "$2"
	"$bin/bench-device" onboard "${who[@]}" "connect=$HOLDFAST_CONNECT" "id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT" >/dev/null
}

hub_trips() { # hub_trips TLS: of every transport of the hub
	local t kind early n=0
	for t in "${ways[@]}"; do
		for kind in symmetric x509; do
			for early in "" early=1; do
				[ "$t$early" != httpearly=1 ] || continue
				known $kind $n
				trip "$1-$t-$kind-$early" $kind $n "hub=127.0.0.2" "hub-transport=$t" ${early:+$early}
				n=$((n + 1))
			done
		done
	done
	trips_end
}

dps_trips() { # by every transport of DPS; the hub by MQTT
	local t early n=50 dps=("id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT" hub-transport=mqtt)
	for t in "${ways[@]}"; do
		for early in "" early=1; do
			trip "dps-$t-symmetric-$early" symmetric $n "${dps[@]}" "transport=$t" ${early:+$early}
			n=$((n + 1))
		done
	done
	trips_end
}

far_tpm() { # far_tpm NUMBER: enrolled
	local id=far-tpm-$1
	mkdir "$dir/$id"
	start_swtpm "$dir/$id"
	"$bin/holdfast" enroll tpm --registration-id "$id" --quiet --endorsement-key \
		"$("$bin/holdfast" identity --tpm="swtpm:path=$dir/$id.sock" | sed -n 's/^endorsement key *//p')" >/dev/null
}

tpm_trips() { # its keys are there already
	local t early n=0 dps=("id-scope=$HOLDFAST_ID_SCOPE" "endpoint=$HOLDFAST_ENDPOINT" hub-transport=mqtt)
	for t in http amqp amqp-ws; do
		for early in "" early=1; do
			far_tpm $n
			known tpm $n
			trip "dps-$t-tpm-$early" tpm $n "${dps[@]}" "transport=$t" ${early:+$early}
			n=$((n + 1))
		done
	done
	trips_end
}

trips_rows() { # trips_rows SERVICE MORE: the rows of trips.tsv, with so many trips that are not in its figures
	local what plain early way kind first again late
	while IFS=$'\t' read -r what plain early _; do
		read -r _ way kind <<<"$what"
		read -r first again <<<"$(counted "$1-$way-$kind-")"
		late=-
		[ ! -s "$dir/trips/$1-$way-$kind-early=1" ] || read -r late _ <<<"$(counted "$1-$way-$kind-early=1")"
		[ "$1" = hub ] || again=-
		printf '  %-34s %9s %9s %9s %9s %11s %11s\n' "$what" "$first" $((plain + $2)) "$late" $((early + ($2 > 0 ? $2 - 1 : 0))) "$again" \
			"$([ "$1" != hub ] || tr ' ' / <<<"$(counted "tls12-$way-$kind-")")"
	done < <(grep "^$1" bench/trips.tsv)
}

trips() {
	mkdir "$dir/trips"
	trips=()
	far_away
	hub_trips hub
	dps_trips
	tpm_trips
	start_emulator old --tls-max 1.2
	far_away
	hub_trips tls12
	use_emulator emulator
	printf '\n%-36s %9s %9s %9s %9s %11s %11s\n' "round trips to the first telemetry" figure least --early least reconnected "TLS 1.2"
	trips_rows hub 0
	trips_rows dps 4
}
