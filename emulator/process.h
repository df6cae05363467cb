/*
 * The process around the emulator: options, data folder, certificates, listeners, control socket. What is decided knows
 * nothing of it.
 */
#ifndef EMULATOR_PROCESS_H
#define EMULATOR_PROCESS_H
#include "emulator.h"
#include "stream/stream.h"

/*
 * config.c: names and options, and config.json: scope and keys, made at first start and kept.
 */
void config_init(struct config *); /* what the options are when not given */
void config_fini(struct config *);
int config_add_hub(struct config *, const char *name, struct hf_error *);
int config_add_dps(struct config *, const char *name, struct hf_error *);
/* Makes the data folder (0700) when there is none, locks it against a second emulator, reads config.json or makes it, and
 * adds the hubs and names that are there by default. *lock: a descriptor to keep open; -1 at failure. */
int config_open(struct config *, int *lock, struct hf_error *);
/* The path of a file in the data folder. */
#define CONFIG_PATH 600
void config_path(const struct config *, const char *file, char dst[CONFIG_PATH]);
/* The address at which a name is reached: its own when it is an address of loopback, else where we listen. */
const char *config_address(const struct config *, const char *name);
int config_is_loopback(const char *address); /* 1: an address of 127.0.0.0/8, or ::1 */

/*
 * cert.c: a CA that is good for the emulator's own names alone, and a server certificate for all of them. Both are made when
 * missing, and made anew, with the same key, when the names have changed or the end is near.
 */
#define CERT_TRUST   "ca.pem"
#define TLS_SESSIONS 4096 /* that can be resumed, for this long */
#define TLS_SECONDS  3600
int
cert_open(const struct config *, int64_t wall, STACK_OF(X509) * *chain, EVP_PKEY **key, struct hf_error *);

/*
 * listen.c: the loop.
 */
struct listen;
/* Binds every address (0 ports become real ones in conf) and begins to listen. The emulator and the TLS side are lent. */
int listen_open(struct listen **, struct emulator *, struct tls_conf *, struct hf_error *);
/* Until SIGINT or SIGTERM. */
int listen_run(struct listen *, struct hf_error *);
void listen_close(struct listen *);

/*
 * control.c: a socket in the data folder, mode 0600: a JSON object goes in, JSON lines come out. Asked for are
 *	{"want": "env"}
 *	{"want": "devices"}
 *	{"want": "events", "after": 12, "device": "d1", "follow": true}
 */
struct control;
struct event_base;
int control_open(struct control **, struct emulator *, struct event_base *, struct hf_error *);
void control_news(struct control *); /* something was stored: those who follow want to know */
void control_close(struct control *);
/* The other end: asks, and hands over each line (without its end). fn may stop by answering non-zero. */
int control_ask(const struct config *, const json_t *question, int (*fn)(void *, const char *line), void *,
    struct hf_error *);
#endif
