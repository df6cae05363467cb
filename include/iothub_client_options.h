/*
 * Options of a hub's client: a name, and a pointer to a value of the type that is told here; see IoTHubDeviceClient_LL_SetOption().
 * Those of the connection are in shared_util_options.h. An option that does not concern the protocol in use is taken and left aside.
 */
#ifndef IOTHUB_CLIENT_OPTIONS_H
#define IOTHUB_CLIENT_OPTIONS_H
#include "azure_c_shared_utility/shared_util_options.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Every protocol. */
#define OPTION_LOG_TRACE "logtrace"	   /* bool *: a line for everything that happens */
#ifndef OPTION_X509_CERT		   /* prov_device_ll_client.h has these two as well */
#define OPTION_X509_CERT "x509certificate" /* char *, PEM */
#define OPTION_X509_PRIVATE_KEY                                                                              \
	"x509privatekey" /* char *, PEM, an engine's name for it, or a key URI (holdfast-hsm(7)) */
#endif
#define OPTION_SAS_TOKEN_LIFETIME     "sas_token_lifetime"     /* size_t *, seconds */
#define OPTION_SAS_TOKEN_REFRESH_TIME "sas_token_refresh_time" /* size_t *, seconds */
#define OPTION_PRODUCT_INFO	      "product_info"	       /* char *, added to the user agent */
#define OPTION_MODEL_ID		      "model_id"	   /* char *, the device's IoT Plug and Play model */
#define OPTION_RETRY_INTERVAL_SEC     "retry_interval_sec" /* unsigned int *, seconds */
#define OPTION_RETRY_MAX_DELAY_SECS   "retry_max_delay_secs" /* unsigned int *, seconds */
#define OPTION_MESSAGE_TIMEOUT                                                                               \
	"messageTimeout" /* tickcounter_ms_t *: how long a message may wait to be sent */
#define OPTION_DIAGNOSTIC_SAMPLING_PERCENTAGE "diag_sampling_percentage" /* uint32_t *, 0 to 100 */

/* The functions without LL_ in their names. */
#define OPTION_DO_WORK_FREQUENCY_IN_MS                                                                       \
	"do_work_freq_ms" /* tickcounter_ms_t *, 1 to 100: how often the thread looks at the longest */

/* MQTT. */
#define OPTION_KEEP_ALIVE	  "keepalive"	    /* int *, seconds */
#define OPTION_CONNECTION_TIMEOUT "connect_timeout" /* int *, seconds */
/* bool *. True: names and values of properties may be anything; false: the program escapes them itself. */
#define OPTION_AUTO_URL_ENCODE_DECODE "auto_url_encode_decode"

/* AMQP. */
#define OPTION_CBS_REQUEST_TIMEOUT		 "cbs_request_timeout"		  /* size_t *, seconds */
#define OPTION_SERVICE_SIDE_KEEP_ALIVE_FREQ_SECS "svc2cl_keep_alive_timeout_secs" /* size_t *, seconds */
#define OPTION_C2D_KEEP_ALIVE_FREQ_SECS                                                                      \
	"c2d_keep_alive_freq_secs" /* size_t *, an older name of the one before */
#define OPTION_REMOTE_IDLE_TIMEOUT_RATIO                                                                     \
	"cl2svc_keep_alive_send_ratio"				 /* double *, more than 0 and less than 1 */
#define OPTION_EVENT_SEND_TIMEOUT_SECS "event_send_timeout_secs" /* size_t *, seconds */

/* HTTPS. */
#define OPTION_BATCHING "Batching" /* bool *. Holdfast sends batches in any case */
#define OPTION_MIN_POLLING_TIME                                                                              \
	"MinimumPollingTime" /* unsigned int *, seconds between two questions for messages */

/* Uploads. */
#define OPTION_BLOB_UPLOAD_TIMEOUT_SECS		"blob_upload_timeout_secs"	   /* size_t *, seconds */
#define OPTION_BLOB_UPLOAD_TLS_RENEGOTIATION	"blob_upload_tls_renegotiation"	   /* bool * */
#define OPTION_NETWORK_INTERFACE_UPLOAD_TO_BLOB "network_interface_upload_to_blob" /* char * */

/* A proxy is named by OPTION_HTTP_PROXY. These names, and the struct, are there because programs name them; nothing hears them. */
#define OPTION_PROXY_HOST     "proxy_address"  /* char * */
#define OPTION_PROXY_USERNAME "proxy_username" /* char * */
#define OPTION_PROXY_PASSWORD "proxy_password" /* char * */
typedef struct IOTHUB_PROXY_OPTIONS_TAG {
	const char *host_address;
	const char *username;
	const char *password;
} IOTHUB_PROXY_OPTIONS;

/* Of shared connections, which Holdfast does not have. */
#define DEVICE_MULTIPLEXING_FAULTY_DEVICE_RATIO_RECONNECTION_THRESHOLD 0
#define DEVICE_FAILURE_COUNT_RECONNECTION_THRESHOLD		       5

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
