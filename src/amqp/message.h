/*
 * AMQP 1.0's values and messages. A get lends from the bytes that it was given; nothing is allocated, nothing recurs.
 */
#ifndef AMQP_MESSAGE_H
#define AMQP_MESSAGE_H
#include "amqp/amqp.h"

enum amqp_type {
	AMQP_NULL,
	AMQP_BOOL,
	AMQP_UINT, /* ubyte, ushort, uint, ulong: u */
	AMQP_INT,  /* byte, short, int, long, timestamp: i */
	AMQP_REAL, /* float, double, decimals, char: as it came */
	AMQP_UUID, /* 16 bytes */
	AMQP_BINARY,
	AMQP_STRING,
	AMQP_SYMBOL,
	AMQP_LIST, /* count values in bytes */
	AMQP_MAP,  /* count / 2 pairs */
	AMQP_ARRAY
};
struct amqp_value {
	enum amqp_type type;
	uint8_t code; /* the constructor, as it came */
	union {
		uint64_t u;
		int64_t i;
	};
	struct amqp_text bytes; /* of everything that is not a number */
	uint32_t count;
	const uint8_t *whole; /* as it is encoded, with its constructor */
	size_t whole_len;
	uint64_t described; /* 0: it is not */
};
/* One value: its length in bytes, or HF_ERR_PROTOCOL. A descriptor has to be a number or a symbol (which reads as ~0). */
ssize_t amqp_get(const uint8_t *, size_t, struct amqp_value *);
/* Walks a list's, map's or message's values: 1, 0 at the end, HF_ERR_PROTOCOL. */
struct amqp_walk {
	const uint8_t *p;
	size_t n;
};
int amqp_walk(struct amqp_walk *, struct amqp_value *);
static inline struct amqp_walk
amqp_inside(const struct amqp_value *v)
{
	return (struct amqp_walk){ (const uint8_t *)v->bytes.p, v->bytes.len };
}
int amqp_is(const struct amqp_value *, const char *text); /* a string or symbol that reads so: 1 or 0 */
/* A string or symbol as a C string: 0, or HF_ERR_ARGS when it is neither, or does not fit. */
int amqp_copy(const struct amqp_value *, char *dst, size_t);
/* The value at a map's key (string or symbol). 1, 0. */
int amqp_find(const struct amqp_value *map, const char *key, struct amqp_value *);
/* A number, or a text of digits, from 0 to max: 1, else 0. */
int amqp_number(const struct amqp_value *, int64_t max, int64_t *);

int amqp_put_null(struct buf *);
int amqp_put_bool(struct buf *, int);
int amqp_put_uint(struct buf *, uint32_t);
int amqp_put_ulong(struct buf *, uint64_t);
int amqp_put_int(struct buf *, int32_t);
int amqp_put_long(struct buf *, int64_t);
int amqp_put_timestamp(struct buf *, int64_t ms);
int amqp_put_binary(struct buf *, const void *, size_t);
int amqp_put_string(struct buf *, const char *, size_t);
int amqp_put_symbol(struct buf *, const char *, size_t);
/* A described list, of values that are encoded already. */
int amqp_put_list(struct buf *, uint8_t descriptor, uint32_t count, const struct buf *values);
int amqp_put_map(struct buf *, uint8_t descriptor, uint32_t count, const struct buf *values);

/* Pairs under way into a map. Puts keep the first failure. */
struct amqp_pairs {
	struct buf b;
	uint32_t count; /* of values, two a pair */
	int symbols;	/* keys are symbols, as in annotations */
	int failed;
};
void amqp_pair_text(struct amqp_pairs *, const char *key, const char *value);
void amqp_pair_int(struct amqp_pairs *, const char *key, int32_t value);
void amqp_pair_long(struct amqp_pairs *, const char *key, int64_t value);
void amqp_pair_bool(struct amqp_pairs *, const char *key, int value);
void amqp_pair_time(struct amqp_pairs *, const char *key, int64_t ms);

enum amqp_section {
	AMQP_HEADER = 0x70,
	AMQP_DELIVERY_ANNOTATIONS,
	AMQP_MESSAGE_ANNOTATIONS,
	AMQP_PROPERTIES_SECTION,
	AMQP_APPLICATION,
	AMQP_DATA,
	AMQP_SEQUENCE,
	AMQP_VALUE,
	AMQP_FOOTER
};
struct amqp_message {
	struct amqp_value id, correlation_id; /* of any type; AMQP_NULL: absent */
	struct amqp_text user_id, to, subject, reply_to, content_type, content_encoding; /* p NULL: absent */
	int64_t expiry, created;							 /* ms; 0: absent */
	struct amqp_value annotations, application;	      /* get: maps, or AMQP_NULL */
	struct amqp_pairs *put_annotations, *put_application; /* put; NULL: none */
	struct amqp_text data;				      /* the first data section; p NULL: none */
	size_t data_sections;
	struct amqp_value value; /* the body, when it is a value; put: encoded in whole */
	int has_value;
};
/* Appends a whole message: 0, HF_ERR_MEMORY, or what its pairs have failed with. */
int amqp_message_put(struct buf *, const struct amqp_message *);
/* Sections may come in any order, as some clients send them. 0, or HF_ERR_PROTOCOL with a sentence. */
int amqp_message_get(const void *, size_t, struct amqp_message *, struct hf_error *);
/* The data sections of a message, one after the other: 1, 0. */
int amqp_message_data(struct amqp_walk *, struct amqp_text *);

/* cbs.c: what put-token says, over $cbs. A token is lent. */
struct amqp_put_token {
	struct amqp_value id; /* echoed in the answer, of the same type */
	char name[512];	      /* for whom: an address */
	char type[64];
	struct amqp_text token;
};
int cbs_put(struct buf *, uint64_t id, const char *name, const char *token);
int cbs_get(const void *, size_t, struct amqp_put_token *, struct hf_error *);
int cbs_put_reply(struct buf *, const struct amqp_value *id, int status, const char *description);
int
cbs_get_reply(const void *, size_t, uint64_t *id, int *status, char *description, size_t, struct hf_error *);
#endif
