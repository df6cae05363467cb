# Devices with certificates, by Microsoft's SDK for Node: DPS over AMQP without SASL, the certificate speaks.
. "$(dirname "$0")/lib.bash"
start_emulator

self_signed mill-1
enroll x509 --registration-id mill-1 --cert "$work/mill-1.pem"
authority fab
issued mill-2 fab
enroll group-x509 --registration-id mills --cert "$work/fab.pem"
for transport in amqp amqp-ws; do
	is mill-1 "$(sdk device $transport x509 mill-1 "$work/mill-1.pem" "$work/mill-1.key" | field deviceId)"
	is mill-2 "$(sdk device $transport x509 mill-2 "$work/mill-2.chain.pem" "$work/mill-2.key" | field deviceId)"
done
self_signed mill-3
refused 401002 sdk device amqp x509 mill-3 "$work/mill-3.pem" "$work/mill-3.key"
