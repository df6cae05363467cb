/*
 * Holdfast: a Linux device's cloud identity, rooted in hardware.
 *
 * A device proves who it is to the Azure Device Provisioning Service (DPS) with a key that never leaves its
 * TPM or its key store, is told which IoT Hub it belongs to, and talks to that hub from then on:
 *
 *	struct hf *h = hf_new();
 *	hf_set(h, "id-scope", "0ne00000000");
 *	hf_set(h, "tpm", "device:/dev/tpmrm0");
 *	if (hf_register(h) < 0 || hf_wait(h, HF_REGISTERED, 60000, NULL) < 0)
 *		errx(1, "%s", hf_error(h)->text);
 *
 * Two things: what you want (settings, by name), and a conversation that moves when you step it. Nothing here
 * blocks except hf_wait() and hf_identify(): slow keys, TPMs and name look-ups work on a thread of their own.
 *
 * Threads: one struct hf belongs to one thread at a time; different ones may live in different threads.
 * hf_configure() is to be called before the first hf_new().
 */
#ifndef HOLDFAST_H
#define HOLDFAST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define HF_VERSION "0.1.0"

/* Every function that can fail returns 0 or more when it worked and one of these when it did not. The command's exit
 * status is the same number without its sign. */
enum {
	HF_OK = 0,
	HF_ERR_OTHER = -1,     /* none of those below: a fault of ours */
	HF_ERR_ARGS = -2,      /* a setting or argument is missing or wrong */
	HF_ERR_MEMORY = -3,    /* out of memory */
	HF_ERR_IO = -4,	       /* a file or the system said no: disk full, permission */
	HF_ERR_KEY = -5,       /* the key, TPM or token said no */
	HF_ERR_NET = -6,       /* the other side cannot be reached, or the connection was lost */
	HF_ERR_TLS = -7,       /* TLS failed: the server's certificate is not trusted, or ours was refused */
	HF_ERR_AUTH = -8,      /* the service does not accept who we say that we are (401, 403, 404) */
	HF_ERR_SERVICE = -9,   /* the service refused or failed for another reason */
	HF_ERR_PROTOCOL = -10, /* the other side said something that we do not understand */
	HF_ERR_TIMEOUT = -11,  /* it took longer than allowed */
	HF_ERR_STATE = -12,    /* the state file is another identity's, or the call does not fit the moment */
	HF_ERR_UNSUPPORTED = -13 /* neither this build nor the service can do that */
};

/* What went wrong, first cause first. Valid until the next call on the same object. */
struct hf_error {
	int code;	   /* HF_ERR_*; 0 when nothing went wrong */
	int status;	   /* the service's HTTP-like status, such as 401; 0 when there was none */
	int service;	   /* the service's own errorCode, such as 401002; 0 when there was none */
	int retry_after;   /* seconds that the service asked us to wait; 0 when it did not */
	char tracking[80]; /* the service's tracking id, to quote to its support; "" when there was none */
	char text[600];	   /* a sentence: what was tried, on which thing, what was said, what to do next */
};

/*
 * Settings, by the names of the command's options (holdfast(1) has them all). Values are copied.
 *
 *	id-scope	the DPS instance, such as 0ne00000000
 *	endpoint	HOST[:PORT] of DPS; global.azure-devices-provisioning.net when not set
 *	connect		HOST:PORT=ADDR:PORT[,...]: where to really connect for HOST:PORT
 *	transport	how to talk to DPS and to the hub: mqtt (the default), amqp, mqtt-ws and amqp-ws (in a WebSocket) or http, or
 *			several of them, such as mqtt,mqtt-ws: then each is tried in turn. To DPS, for a TPM, http is the default, since it takes no
 *			TPM over MQTT
 *	hub-transport	another one to the hub
 *	poll		seconds between two questions for messages, over HTTPS; 1500 when not set
 *	proxy		http://HOST[:PORT] of an HTTP proxy; "" for none, whatever the environment says (https_proxy, no_proxy)
 *	proxy-auth-file	file with the NAME:PASSWORD that the proxy asks for
 *	early		1: over MQTT, say all behind CONNECT without waiting for the answer; over AMQP, ask for links behind the token
 *	trust		file of CA certificates (PEM) that replaces the system's
 *	registration-id	the name under which the device is enrolled
 *	state		file that keeps the assignment, mode 0600
 *	payload		JSON handed to the service's allocation webhook
 *	timeout		seconds for a whole registration, 60 when not set
 *	hub, device-id	talk to this hub as this device, without asking DPS
 *
 * The identity, exactly one of:
 *	tpm		a TCTI string such as device:/dev/tpmrm0 or swtpm:path=SOCKET; "" is the machine's own TPM
 *	cert + key	certificate file (PEM, leaf first) and the key's URI or file
 *	hsm		a custom HSM: "hsm:" is the one that is linked in, "hsm:/PATH/LIB.so" one to be loaded
 *	symmetric-key	file with the device's key as base64 text
 *	group-key	file with a group's key; the device's own is derived from it and the registration id
 *
 * Of a TPM: ek-handle, srk-handle, key-handle (0x81010001, 0x81000001, 0x81000100), owner-auth-file,
 * endorsement-auth-file (files that hold the hierarchies' passwords), ek-template (tcg, or sdk for the key that
 * Microsoft's C SDK makes), force (1: replace an object at key-handle that Holdfast did not make).
 */

/* Sets a default for every device that hf_new() makes from now on; NULL takes it back. HF_ERR_ARGS: no such name. */
int hf_configure(const char *name, const char *value);

struct hf;

/* A device that has no identity yet and talks to nobody. NULL: out of memory. hf_free(NULL) is fine; it never blocks. */
struct hf *hf_new(void);
void hf_free(struct hf *);

/* Sets one setting of one device; NULL takes it back. HF_ERR_ARGS: no such name, or a value that cannot be. */
int hf_set(struct hf *, const char *name, const char *value);

/* The last thing that went wrong with this device. Never NULL; code 0 when nothing did. Lent. */
const struct hf_error *hf_error(const struct hf *);

/* Who this device is. Strings are lent until the next call on the same device; "" where a field does not apply. */
struct hf_who {
	const char *kind; /* "tpm", "x509" or "symmetric" */
	const char *registration_id;
	const char *endorsement_key;  /* TPM2B_PUBLIC, base64; TPM only */
	const char *storage_root_key; /* the same of the SRK */
	const char *subject;	      /* certificate's subject (RFC 2253); X.509 only */
	const char *thumbprint_sha1;  /* upper-case hex */
	const char *thumbprint_sha256;
};
/* Opens the identity and describes it. Blocks for as long as the TPM takes; keeps nothing in the TPM. */
int hf_identify(struct hf *, struct hf_who *);

/* Begins a registration with DPS. Ends with an HF_REGISTERED or HF_FAILED event. */
int hf_register(struct hf *);

/* Begins to talk to the hub: that of the settings, of a registration just done, of the state file; when none says, the
 * device registers first. When the hub refuses the device, DPS is asked once more where it belongs. The connection
 * is remade until hf_disconnect(). */
int hf_connect(struct hf *);

struct hf_property {
	const char *key, *value;
};

/* One telemetry message. All pointers are copied by hf_send(). */
struct hf_message {
	const void *body;
	size_t len;			      /* body and properties: 256 KiB at most */
	const struct hf_property *properties; /* the application's; NULL when none */
	size_t property_count;
	const char *message_id, *correlation_id, *content_type, *content_encoding; /* NULL: not sent */
};
/* Queues a message (before or after hf_connect()). It is sent at least once, in order, over reconnects too; an HF_SENT
 * event with `tag` follows once the hub has stored it, or HF_UNSENT when it says that it never will. HF_ERR_STATE: the queue is full
 * (100,000 messages or 64 MiB). */
int hf_send(struct hf *, const struct hf_message *, uint64_t tag);

/* Asks for cloud-to-device messages from now on, over reconnects too; before hf_connect() or after. most: that many; 0: all that come. A
 * later call says anew how many more. Each comes as an HF_RECEIVED event and is to be settled: until then the hub keeps it, and delivers
 * it again after a while (60 s) or when the connection is lost. So a message may come more than once; its message id tells. Over HTTPS
 * the hub is asked every `poll` seconds. */
int hf_receive(struct hf *, unsigned most);

/* A cloud-to-device message. Strings are "" where the sender said nothing. */
struct hf_received {
	const void *body;
	size_t len;
	const struct hf_property *properties;
	size_t property_count;
	const char *message_id, *correlation_id, *user_id, *to, *content_type, *content_encoding;
	const char *ack; /* the feedback that its sender wants: none, positive, negative or full */
	int deliveries; /* how often it was delivered and abandoned before; 0 over MQTT, which does not tell */
};
enum hf_answer {
	HF_COMPLETE = 1, /* done with: the hub forgets it */
	HF_ABANDON,	 /* not now: the hub delivers it again, ten times at most */
	HF_REJECT	 /* never again: its sender may be told so */
};
/* Settles the message that came under this tag. An HF_SETTLED event with the same tag follows once the answer is on its way (over HTTPS: has
 * arrived); its error is set when it came too late or the connection is gone, and then the hub delivers the message again.
 * HF_ERR_ARGS: no such message waits. HF_ERR_UNSUPPORTED: MQTT has no answer but HF_COMPLETE; leave it unsettled there. */
int hf_settle(struct hf *, uint64_t tag, enum hf_answer);

/* Ends what is going on, at the hub politely. Messages not yet acknowledged stay queued; events not yet taken are gone, so
 * take them first: an HF_SENT among them is not told again. Messages received and not settled are the hub's again. */
int hf_disconnect(struct hf *);

enum hf_event_type {
	HF_NONE = 0,
	HF_REGISTERED,	 /* hub and device_id are set */
	HF_CONNECTED,	 /* the hub accepted us */
	HF_DISCONNECTED, /* the connection is lost and will be made again; error says why */
	HF_SENT,	 /* the hub has stored the message with this tag */
	HF_FAILED,	 /* what was begun ended for good; error says why */
	HF_RECEIVED,	 /* a cloud-to-device message: received, and the tag under which it is settled */
	HF_SETTLED,	 /* the answer under this tag is on its way to the hub; or not, and error says why */
	HF_UNSENT /* the hub will never store the message with this tag; error says why. It is no longer queued */
};
struct hf_event {
	enum hf_event_type type;
	uint64_t tag; /* HF_SENT, HF_UNSENT: as given to hf_send(); HF_RECEIVED, HF_SETTLED */
	const struct hf_received *received;	       /* HF_RECEIVED */
	const char *registration_id, *hub, *device_id; /* HF_REGISTERED */
	const char *substatus; /* HF_REGISTERED: such as initialAssignment; "" when not told */
	const char *payload;   /* HF_REGISTERED: JSON from the allocation webhook; "" when none */
	const struct hf_error
	    *error; /* HF_DISCONNECTED, HF_FAILED, HF_UNSENT; HF_SETTLED: NULL when all is well */
};

/* For a loop of any kind: wait until the descriptor (an epoll descriptor, always the same one) is readable or `deadline`
 * milliseconds have passed (-1: for ever), then step and take the events until there is none. hf_step() never
 * blocks. An event's pointers are lent until the next call on the same device. */
int hf_fd(struct hf *);
int hf_deadline(struct hf *);
int hf_step(struct hf *);
int hf_next(struct hf *, struct hf_event *); /* 1: an event; 0: none */

/* The loop for those who have none: steps until an event of this type (taking those before it), an HF_FAILED, or
 * the time is over. 0 with the event in *ev (NULL: not wanted), or the error; HF_ERR_TIMEOUT after `milliseconds` (-1: never). */
int hf_wait(struct hf *, enum hf_event_type, int milliseconds, struct hf_event *ev);

/*
 * Enrollments: the owner's side, by the DPS service REST API. The connection string is a secret of the owner's
 * (HostName=...;SharedAccessKeyName=...;SharedAccessKey=...) and grants rights over the whole DPS instance.
 * Of a device's settings, connect and trust apply. Blocks for one HTTPS request.
 */
enum hf_enrollment_kind {
	HF_ENROLL_TPM,
	HF_ENROLL_X509,
	HF_ENROLL_SYMMETRIC,
	HF_ENROLL_GROUP_X509,
	HF_ENROLL_GROUP_SYMMETRIC
};
struct hf_enrollment {
	enum hf_enrollment_kind kind;
	const char *id;		     /* registration id, or the group's name */
	const char *device_id;	     /* NULL: same as id; not for groups */
	const char *endorsement_key; /* base64 TPM2B_PUBLIC; TPM only */
	const char *certificate;     /* PEM text; X.509: the device's, or the group's CA */
	const char *symmetric_key;   /* base64; NULL: the service makes one */
};
/* Creates an enrollment, or replaces it. `answer`, when not NULL, is set to the service's JSON, to be freed by free(). */
int hf_enroll(struct hf *, const char *service, const struct hf_enrollment *, char **answer);

/* Any other request of that API, by the words of its REST reference: GET /enrollments/ID, POST /enrollments/query. */
struct hf_call {
	const char *method, *path; /* without query */
	const char *body;	   /* JSON; NULL: none */
	const char *
	    match; /* the ETag that it must still have, or "*" for any; NULL: not asked. A PUT without creates */
};
/* `more`, when not NULL, is a query's place: NULL in it begins at the first page, and then it is set to where the next one begins,
 * or to NULL after the last. It, too, is freed by free(). */
int hf_service(struct hf *, const char *service, const struct hf_call *, char **more, char **answer);

/*
 * Keys and certificates. A key is named by a URI, the same as in the setting `key`; it may live in a file, a TPM, a token, an engine,
 * another OpenSSL provider or a custom HSM (holdfast-hsm(7) has the grammar), and it stays there:
 *
 *	hf_key_make(h, "tpm2:handle=0x81000201", "p256", &uri);
 *	hf_csr(h, uri, "/CN=device-1", &pem);		a CA signs this, or else
 *	hf_self_sign(h, uri, "/CN=device-1", 365, &pem);	an enrollment of its own takes this
 *
 * All of these block for as long as the hardware takes. What they hand out is freed by free(). A subject is written as openssl does
 * ("/C=DE/O=Example/CN=device-1", the outermost name first) or as in RFC 4514 ("CN=device-1,O=Example,C=DE", the innermost first); it
 * is UTF-8, and a backslash makes a separator part of a name.
 */

/* Makes a key in a TPM (tpm2:handle=HANDLE, tpm2:file=NEW.pem) or a token (pkcs11:token=NAME;object=NAME). type: p256, which suits every
 * hardware, p384, rsa2048, rsa3072, rsa4096. What is there already is not replaced. *made: the URI that names the new key. */
int hf_key_make(struct hf *, const char *uri, const char *type, char **made);

/* Calls fn for each key in a TPM ("tpm2:") or a token ("pkcs11:token=NAME"): its URI, and what it is. */
int hf_key_list(
    struct hf *, const char *where, void (*fn)(void *ctx, const char *uri, const char *what), void *ctx);

/* The public key, as PEM (SubjectPublicKeyInfo). */
int hf_key_public(struct hf *, const char *key, char **pem);

/* A certificate request (PKCS#10, PEM), signed with the key. */
int hf_csr(struct hf *, const char *key, const char *subject, char **pem);

/* A certificate that the key signs itself (PEM): for TLS clients, valid from an hour ago for this many days. */
int hf_self_sign(struct hf *, const char *key, const char *subject, int days, char **pem);

/* The conformance kit for those who make such hardware, or the library that speaks to it: does with a key everything that Holdfast
 * will ask of it, from each signature over TLS handshakes to threads and leaks, and tells each verdict as it comes. Of a custom HSM
 * ("hsm:/PATH.so") every function of the contract is called. */
enum hf_verdict {
	HF_CHECK_TRYING, /* begins to check what the line says; if this is the last one, it crashed or hangs there */
	HF_CHECK_OK,
	HF_CHECK_CANNOT, /* it does not claim to, or it was not asked for */
	HF_CHECK_FAILED
};
struct hf_check {
	const char *uri;
	const char *cert; /* certificate file for the TLS handshakes; NULL: one is made */
	int wrong_pin;	  /* 1: a wrong PIN is tried too, once. A token counts these, and locks after a few */
	int write; /* 1: a custom HSM's functions that write are called too: they may replace its key */
	void (*fn)(void *ctx, enum hf_verdict, const char *line);
	void *ctx;
};
/* 0: all that it claims to do works. HF_ERR_KEY: something failed. */
int hf_hsm_check(struct hf *, const struct hf_check *);

/*
 * Custom HSMs: a vendor's library that is linked into the program (hsm_client_data.h says what it has). A program that links one by
 * Holdfast's CMake package, holdfast_custom_hsm(), need not call this: it is done before main() begins.
 */
struct HSM_CLIENT_X509_INTERFACE_TAG;
struct HSM_CLIENT_X509_V2_INTERFACE_TAG;
struct HSM_CLIENT_TPM_INTERFACE_TAG;
struct HSM_CLIENT_KEY_INTERFACE_TAG;
struct hf_hsm_table {
	size_t size;		/* sizeof(struct hf_hsm_table) */
	int (*x509_init)(void); /* each of them: NULL when the library has none */
	void (*x509_deinit)(void);
	int (*tpm_init)(void);
	void (*tpm_deinit)(void);
	const struct HSM_CLIENT_X509_INTERFACE_TAG *(*x509)(void);
	const struct HSM_CLIENT_X509_V2_INTERFACE_TAG *(*x509_v2)(void);
	const struct HSM_CLIENT_TPM_INTERFACE_TAG *(*tpm)(void);
	const struct HSM_CLIENT_KEY_INTERFACE_TAG *(*key)(void);
};
/* Makes it what "hsm:" without a path names. The table is copied. Before the first identity is opened; HF_ERR_STATE when there is
 * another one already, HF_ERR_ARGS when no getter is in it. NULL takes it back, unless it is in use (HF_ERR_STATE). */
int hf_hsm_link(const struct hf_hsm_table *);

/* What is going on, a line at a time, for people; no secrets are in it. Called on the stepping thread. fn NULL: silent. */
void hf_log(struct hf *, void (*fn)(void *ctx, const char *line), void *ctx);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
