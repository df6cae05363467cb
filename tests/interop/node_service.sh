# The owner, by Microsoft's SDK for Node: everything that its provisioning service client can ask for.
. "$(dirname "$0")/lib.bash"
start_emulator --policy reader=EnrollmentRead

# A device of a group and one by itself register first, so that there are registrations to be asked for.
authority line-ca
issued press-1 line-ca
issued press-2 line-ca
self_signed oven
key=$(new_key)
enroll group-x509 --registration-id line --cert "$work/line-ca.pem"
enroll symmetric --registration-id mixer --symmetric-key - <<<"$key"
for id in press-1 press-2; do
	sdk device http x509 $id "$work/$id.chain.pem" "$work/$id.key" >/dev/null
done
sdk device http symmetric mixer "$key" >/dev/null

sdk node_service "$work/oven.pem" "$work/line-ca.pem" $hub >"$work/answer"
is all "$(field done <"$work/answer")"

# It ended by disabling this one.
refused 401002 sdk device http symmetric mixer "$key"
