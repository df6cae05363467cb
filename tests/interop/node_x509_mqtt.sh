# Devices with certificates, by Microsoft's SDK for Node: DPS over MQTT, then the hub; one known by its thumbprint, one by
# the root of its chain.
. "$(dirname "$0")/lib.bash"
start_emulator

self_signed drill-1
enroll x509 --registration-id drill-1 --device-id drill-one --cert "$work/drill-1.pem"
is drill-one "$(sdk device mqtt x509 drill-1 "$work/drill-1.pem" "$work/drill-1.key" | field deviceId)"
arrived drill-one hub=$hub authMethod.scope=device authMethod.type=x509 body='{"from":"x509"}'

self_signed drill-1
refused 401002 sdk device mqtt x509 drill-1 "$work/drill-1.pem" "$work/drill-1.key"

authority fab
authority hall fab
issued drill-2 hall
enroll group-x509 --registration-id drills --cert "$work/fab.pem"
is drills "$(sdk device mqtt x509 drill-2 "$work/drill-2.chain.pem" "$work/drill-2.key" |
	field x509.enrollmentGroupId)"
arrived drill-2 hub=$hub authMethod.type=x509 body='{"from":"x509"}'

refused 401002 sdk device mqtt x509 drill-2 "$work/drill-2.pem" "$work/drill-2.key"
refused 401002 sdk device mqtt x509 drill-3 "$work/drill-2.chain.pem" "$work/drill-2.key"
