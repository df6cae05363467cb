/*
 * DPS's SASL mechanism for TPMs, both chairs, without any I/O (docs/protocol.md): six steps in frames of 512 bytes.
 *
 *	client -> server	init: 00 scope 00 id 00 EK		the endorsement key, TPM2B_PUBLIC
 *	server -> client	00					the storage root key, please
 *	client -> server	00 SRK
 *	server -> client	80|n piece ... C0|n last piece		the key blob; the client says 00 in between
 *	client -> server	00 token				signed by the key that was in it
 *	server -> client	the outcome
 */
#ifndef AMQP_SASL_TPM_H
#define AMQP_SASL_TPM_H
#include "amqp/amqp.h"

#define SASL_TPM      "TPM"
#define SASL_TPM_BLOB 4096 /* at most; DPS's have about 900 bytes */

struct sasl_tpm { /* either chair's; zeroed to begin with */
	int step;
	unsigned seq;
	struct buf blob; /* client: as it comes in; server: as it goes out */
	size_t at;
	char scope[65], id[129]; /* server: as told */
	struct buf ek, srk;
	char *token;
};
void sasl_tpm_fini(struct sasl_tpm *);

/* Client. The init: appends. 0, HF_ERR_ARGS (does not fit a frame), HF_ERR_MEMORY. */
int sasl_tpm_put_init(struct buf *, const char *scope, const char *id, const void *ek, size_t);
/* A challenge. 1: its answer was appended; 2: the blob is whole (in .blob): answer with sasl_tpm_put_token(). Negative: a sentence. */
int sasl_tpm_challenged(
    struct sasl_tpm *, struct amqp_text, const void *srk, size_t, struct buf *answer, struct hf_error *);
int sasl_tpm_put_token(struct buf *, const char *token);

/* Server. What came: the init (first), or a response. 1: the next challenge was appended. 2: EK and SRK are there: put a blob into .blob, and
 * ask sasl_tpm_piece() for the challenge. 3: a token is there; outcome. Negative: a sentence. */
int sasl_tpm_heard(struct sasl_tpm *, struct amqp_text, struct buf *challenge, struct hf_error *);
int sasl_tpm_piece(struct sasl_tpm *, struct buf *challenge); /* 0, or HF_ERR_MEMORY */
#endif
