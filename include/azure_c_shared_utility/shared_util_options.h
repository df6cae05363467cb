/*
 * Options of connections: for IoTHubDeviceClient_LL_SetOption() and its siblings, and for Prov_Device_LL_SetOption(). An option is a name
 * and a pointer; what it points to is told here. Strings are copied.
 */
#ifndef AZURE_C_SHARED_UTILITY_SHARED_UTIL_OPTIONS_H
#define AZURE_C_SHARED_UTILITY_SHARED_UTIL_OPTIONS_H
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* An HTTP proxy that CONNECT goes through, over whichever protocol. */
typedef struct HTTP_PROXY_OPTIONS_TAG {
	const char *host_address; /* name or address, no scheme */
	int port;
	const char *username; /* both NULL: the proxy asks for none */
	const char *password;
} HTTP_PROXY_OPTIONS;
#define OPTION_HTTP_PROXY   "proxy_data" /* HTTP_PROXY_OPTIONS * */
#define OPTION_HTTP_TIMEOUT "timeout"	 /* long *, milliseconds; HTTPS */

/* PEM text of root certificates for the server's */
#define OPTION_TRUSTED_CERT "TrustedCerts" /* char * */

/* The device's certificate (PEM, then those between it and the root) and its key: PEM, or the engine's name for it. Holdfast also takes
 * a key URI, see holdfast-hsm(7). */
#define SU_OPTION_X509_CERT	   "x509certificate"	/* char * */
#define SU_OPTION_X509_PRIVATE_KEY "x509privatekey"	/* char * */
#define OPTION_X509_ECC_CERT	   "x509EccCertificate" /* char *; the same slot */
#define OPTION_X509_ECC_KEY	   "x509EccAliasKey"	/* char * */

/* A key in an engine of OpenSSL's. */
typedef enum OPTION_OPENSSL_KEY_TYPE_TAG {
	KEY_TYPE_DEFAULT, /* the key is PEM */
	KEY_TYPE_ENGINE	  /* the key is a name that OPTION_OPENSSL_ENGINE knows */
} OPTION_OPENSSL_KEY_TYPE;
#define OPTION_OPENSSL_ENGINE		"Engine"	     /* char *, the engine's id */
#define OPTION_OPENSSL_PRIVATE_KEY_TYPE "x509PrivatekeyType" /* OPTION_OPENSSL_KEY_TYPE * */
#define OPTION_OPENSSL_CIPHER_SUITE	"CipherSuite"	     /* char *, OpenSSL's cipher list for TLS 1.2 */

#define OPTION_TLS_VERSION                                                                                   \
	"tls_version" /* int *: 10, 11 or 12. Holdfast speaks TLS 1.2 and 1.3 whatever is set */
#define OPTION_SET_TLS_RENEGOTIATION "tls_renegotiation" /* bool *; there is none */

/* The socket. */
#define OPTION_NET_INT_MAC_ADDRESS	  "net_interface_mac_address" /* char * */
#define OPTION_ADDRESS_TYPE		  "ADDRESS_TYPE"	      /* char *, one of the next two */
#define OPTION_ADDRESS_TYPE_DOMAIN_SOCKET "DOMAIN_SOCKET"
#define OPTION_ADDRESS_TYPE_IP_SOCKET	  "IP_SOCKET"

/* For programs that set libcurl's; Holdfast has no libcurl. */
#define OPTION_CURL_LOW_SPEED_LIMIT "CURLOPT_LOW_SPEED_LIMIT" /* long * */
#define OPTION_CURL_LOW_SPEED_TIME  "CURLOPT_LOW_SPEED_TIME"  /* long * */
#define OPTION_CURL_FRESH_CONNECT   "CURLOPT_FRESH_CONNECT"   /* long * */
#define OPTION_CURL_FORBID_REUSE    "CURLOPT_FORBID_REUSE"    /* long * */
#define OPTION_CURL_VERBOSE	    "CURLOPT_VERBOSE"	      /* long * */
#define OPTION_CURL_INTERFACE	    "CURLOPT_INTERFACE"	      /* char * */

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
