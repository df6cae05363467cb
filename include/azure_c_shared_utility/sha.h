/*
 * SHA-1, SHA-224 to SHA-512 and HMAC over them, by the names of RFC 6234. A context is plain memory: reset it, put bytes in, take the
 * digest out; it may be copied on the way, and nothing has to be freed.
 *
 *	SHA256Context c;
 *	uint8_t digest[SHA256HashSize];
 *	SHA256Reset(&c);
 *	SHA256Input(&c, bytes, n);
 *	SHA256Result(&c, digest);
 *
 * Every function answers shaSuccess or one of the other codes. After the result (or the final bits) no more input is taken:
 * shaStateError. These are for programs that bring a use for them; Holdfast itself hashes by OpenSSL, whose <openssl/sha.h> has
 * functions named as the enumerators below and cannot be included beside this header.
 */
#ifndef AZURE_C_SHARED_UTILITY_SHA_H
#define AZURE_C_SHARED_UTILITY_SHA_H
#include <stdint.h>
#include "umock_c/umock_c_prod.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum {
	shaSuccess = 0,
	shaNull,	 /* a NULL */
	shaInputTooLong, /* the length no longer fits its counter */
	shaStateError,	 /* input after the result */
	shaBadParam	 /* no such hash; more than 7 final bits */
};

enum { /* in bytes */
	SHA1_Message_Block_Size = 64,
	SHA224_Message_Block_Size = 64,
	SHA256_Message_Block_Size = 64,
	SHA384_Message_Block_Size = 128,
	SHA512_Message_Block_Size = 128,
	USHA_Max_Message_Block_Size = SHA512_Message_Block_Size,

	SHA1HashSize = 20,
	SHA224HashSize = 28,
	SHA256HashSize = 32,
	SHA384HashSize = 48,
	SHA512HashSize = 64,
	USHAMaxHashSize = SHA512HashSize,

	SHA1HashSizeBits = 160,
	SHA224HashSizeBits = 224,
	SHA256HashSizeBits = 256,
	SHA384HashSizeBits = 384,
	SHA512HashSizeBits = 512,
	USHAMaxHashSizeBits = SHA512HashSizeBits
};

/* Which hash, for the functions that do them all (USHA...) and for HMAC. */
typedef enum SHAversion { SHA1, SHA224, SHA256, SHA384, SHA512 } SHAversion;

typedef struct SHA1Context {
	uint32_t Intermediate_Hash[SHA1HashSize / 4];
	uint32_t Length_Low; /* of the message so far, in bits */
	uint32_t Length_High;
	int_least16_t Message_Block_Index; /* how much of the block is filled */
	uint8_t Message_Block[SHA1_Message_Block_Size];
	int Computed;  /* the digest is there */
	int Corrupted; /* a code from above: what went wrong stays wrong until a reset */
} SHA1Context;

typedef struct SHA256Context { /* SHA-224 too */
	uint32_t Intermediate_Hash[SHA256HashSize / 4];
	uint32_t Length_Low;
	uint32_t Length_High;
	int_least16_t Message_Block_Index;
	uint8_t Message_Block[SHA256_Message_Block_Size];
	int Computed;
	int Corrupted;
} SHA256Context;

typedef struct SHA512Context { /* SHA-384 too */
	uint64_t Intermediate_Hash[SHA512HashSize / 8];
	uint64_t Length_Low, Length_High;
	int_least16_t Message_Block_Index;
	uint8_t Message_Block[SHA512_Message_Block_Size];
	int Computed;
	int Corrupted;
} SHA512Context;

typedef struct SHA256Context SHA224Context;
typedef struct SHA512Context SHA384Context;

typedef struct USHAContext {
	int whichSha; /* a SHAversion */
	union {
		SHA1Context sha1Context;
		SHA224Context sha224Context;
		SHA256Context sha256Context;
		SHA384Context sha384Context;
		SHA512Context sha512Context;
	} ctx;
} USHAContext;

typedef struct HMACContext {
	int whichSha;
	int hashSize;
	int blockSize;
	USHAContext shaContext;				   /* the inner hash */
	unsigned char k_opad[USHA_Max_Message_Block_Size]; /* the key, padded for the outer one */
} HMACContext;

/* FinalBits: 1 to 7 last bits, the highest ones of `bits`, for messages that are no whole bytes. */
int SHA1Reset(SHA1Context *);
int SHA1Input(SHA1Context *, const uint8_t *bytes, unsigned int bytecount);
int SHA1FinalBits(SHA1Context *, const uint8_t bits, unsigned int bitcount);
int SHA1Result(SHA1Context *, uint8_t Message_Digest[SHA1HashSize]);
int SHA224Reset(SHA224Context *);
int SHA224Input(SHA224Context *, const uint8_t *bytes, unsigned int bytecount);
int SHA224FinalBits(SHA224Context *, const uint8_t bits, unsigned int bitcount);
int SHA224Result(SHA224Context *, uint8_t Message_Digest[SHA224HashSize]);
int SHA256Reset(SHA256Context *);
int SHA256Input(SHA256Context *, const uint8_t *bytes, unsigned int bytecount);
int SHA256FinalBits(SHA256Context *, const uint8_t bits, unsigned int bitcount);
int SHA256Result(SHA256Context *, uint8_t Message_Digest[SHA256HashSize]);
int SHA384Reset(SHA384Context *);
int SHA384Input(SHA384Context *, const uint8_t *bytes, unsigned int bytecount);
int SHA384FinalBits(SHA384Context *, const uint8_t bits, unsigned int bitcount);
int SHA384Result(SHA384Context *, uint8_t Message_Digest[SHA384HashSize]);
int SHA512Reset(SHA512Context *);
int SHA512Input(SHA512Context *, const uint8_t *bytes, unsigned int bytecount);
int SHA512FinalBits(SHA512Context *, const uint8_t bits, unsigned int bitcount);
int SHA512Result(SHA512Context *, uint8_t Message_Digest[SHA512HashSize]);

/* The same with the hash as an argument. USHAResult() writes as many bytes as that hash has. */
int USHAReset(USHAContext *, SHAversion whichSha);
int USHAInput(USHAContext *, const uint8_t *bytes, unsigned int bytecount);
int USHAFinalBits(USHAContext *, const uint8_t bits, unsigned int bitcount);
int USHAResult(USHAContext *, uint8_t Message_Digest[USHAMaxHashSize]);
/* Sizes; 0 for no such hash. */
int USHABlockSize(enum SHAversion whichSha);
int USHAHashSize(enum SHAversion whichSha);
int USHAHashSizeBits(enum SHAversion whichSha);

/* HMAC at once, and in pieces. */
int hmac(SHAversion whichSha, const unsigned char *text, int text_len, const unsigned char *key, int key_len,
    uint8_t digest[USHAMaxHashSize]);
int hmacReset(HMACContext *ctx, enum SHAversion whichSha, const unsigned char *key, int key_len);
int hmacInput(HMACContext *ctx, const unsigned char *text, int text_len);
int hmacFinalBits(HMACContext *ctx, const uint8_t bits, unsigned int bitcount);
int hmacResult(HMACContext *ctx, uint8_t digest[USHAMaxHashSize]);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
