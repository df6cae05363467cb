/* Between the files of amqp/. */
#ifndef AMQP_LOCAL_H
#define AMQP_LOCAL_H
#include "amqp/amqp.h"
#include "amqp/message.h"

enum amqp_layer { LAYER_HEADER, LAYER_SASL, LAYER_HEADER_AGAIN, LAYER_AMQP };
enum { SASL_MECHANISMS = 0x40, SASL_INIT, SASL_CHALLENGE, SASL_RESPONSE, SASL_OUTCOME };

/* sasl.c: takes bytes until something has to be told first. How many it took, or negative. With none it takes what it held back. */
ssize_t amqp_take(struct amqp *, const uint8_t *, size_t);
/* amqp.c: whole frames, and the header before them. 0 or negative. */
int amqp_feed(struct amqp *, const uint8_t *, size_t);
int amqp_fail(struct amqp *, int code); /* keeps it */
/* frame.c: what it is (0x10 is open; 0: an empty one), or HF_ERR_PROTOCOL: what Proton is not to see. */
int amqp_frame_check(const uint8_t *, size_t, struct hf_error *);
uint32_t amqp_frame_format(const uint8_t *, size_t); /* a transfer's message format; 0: none */
#endif
