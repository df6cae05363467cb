# Devices with certificates, by Microsoft's SDKs for Node: their owner enrolls one by its certificate, and a group by an
# intermediate CA; they register over HTTPS, and send.
. "$(dirname "$0")/lib.bash"
start_emulator

# certificate NAME: a JSON text of its base64
certificate() {
	printf '{"primary":{"certificate":"%s"}}' "$(openssl x509 -in "$work/$1.pem" -outform DER | base64 -w0)"
}

self_signed mill-1
sdk owner put '{"registrationId":"mill-1","attestation":{"type":"x509","x509":
	{"clientCertificates":'"$(certificate mill-1)"'}}}'
is "$(openssl x509 -in "$work/mill-1.pem" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g')" \
	"$(sdk owner get mill-1 | field attestation.x509.clientCertificates.primary.info.sha256Thumbprint)"
sdk device http x509 mill-1 "$work/mill-1.pem" "$work/mill-1.key"
arrived mill-1 hub=$hub authMethod.scope=device authMethod.type=x509 body='{"from":"x509"}'

authority fab
authority hall fab
issued mill-2 hall
sdk owner put-group '{"enrollmentGroupId":"mills","attestation":{"type":"x509","x509":
	{"signingCertificates":'"$(certificate hall)"'}}}'
is mills "$(sdk device http x509 mill-2 "$work/mill-2.chain.pem" "$work/mill-2.key" |
	field x509.enrollmentGroupId)"
arrived mill-2 hub=$hub authMethod.type=x509 body='{"from":"x509"}'

authority fab
authority hall fab
issued mill-2 hall
refused 401002 sdk device http x509 mill-2 "$work/mill-2.chain.pem" "$work/mill-2.key"
