/*
 * SHA-1 and SHA-2 (FIPS 180-4) and HMAC (RFC 2104) on contexts that are plain memory. The context of every hash begins alike: state,
 * length, block; so the walk over a message is written for 64-byte blocks and for 128-byte blocks, and the hashes differ in what
 * they begin with, in one block's work, and in how much of the state is the digest.
 */
#include "azure_c_shared_utility/sha.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <string.h>

static const uint64_t K[80] = { 0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f,
	0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
	0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f,
	0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3,
	0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65, 0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4,
	0x76f988da831153b5, 0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
	0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc,
	0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8,
	0x81c2c92e47edaee6, 0x92722c851482353b, 0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791,
	0xc76c51a30654be30, 0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
	0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63,
	0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60,
	0x84c87814a1f0ab72, 0x8cc702081a6439ec, 0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915,
	0xc67178f2e372532b, 0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
	0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84,
	0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a,
	0x5fcb6fab3ad6faec, 0x6c44198c4a475817 };

static uint32_t
ror32(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint64_t
ror64(uint64_t x, int n)
{
	return x >> n | x << (64 - n);
}

static uint64_t
read_word(const uint8_t *p, int n)
{
	uint64_t w = 0;

	for (int i = 0; i < n; i++)
		w = w << 8 | p[i];
	return w;
}

static void
write_word(uint8_t *p, uint64_t w, int n)
{
	for (int i = n - 1; i >= 0; i--, w >>= 8)
		p[i] = (uint8_t)w;
}

static uint32_t
sha1_f(int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void
sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], v[5], next;

	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)read_word(p + (ptrdiff_t)t * 4, 4);
	for (int t = 16; t < 80; t++)
		w[t] = ror32(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 31);
	memcpy(v, h, sizeof(v));
	for (int t = 0; t < 80; t++) {
		next = ror32(v[0], 27) + sha1_f(t, v[1], v[2], v[3]) + v[4] + w[t];
		v[4] = v[3];
		v[3] = v[2];
		v[2] = ror32(v[1], 2);
		v[1] = v[0];
		v[0] = next;
	}
	for (int i = 0; i < 5; i++)
		h[i] += v[i];
}

static void
sha256_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], v[8], a, b;

	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)read_word(p + (ptrdiff_t)t * 4, 4);
	for (int t = 16; t < 64; t++) {
		a = ror32(w[t - 15], 7) ^ ror32(w[t - 15], 18) ^ (w[t - 15] >> 3);
		b = ror32(w[t - 2], 17) ^ ror32(w[t - 2], 19) ^ (w[t - 2] >> 10);
		w[t] = w[t - 16] + a + w[t - 7] + b;
	}
	memcpy(v, h, sizeof(v));
	for (int t = 0; t < 64; t++) {
		a = v[7] + (ror32(v[4], 6) ^ ror32(v[4], 11) ^ ror32(v[4], 25)) +
		    ((v[4] & v[5]) ^ (~v[4] & v[6])) + (uint32_t)(K[t] >> 32) + w[t];
		b = (ror32(v[0], 2) ^ ror32(v[0], 13) ^ ror32(v[0], 22)) +
		    ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += a;
		v[0] = a + b;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

static void
sha512_block(uint64_t h[8], const uint8_t *p)
{
	uint64_t w[80], v[8], a, b;

	for (int t = 0; t < 16; t++)
		w[t] = read_word(p + (ptrdiff_t)t * 8, 8);
	for (int t = 16; t < 80; t++) {
		a = ror64(w[t - 15], 1) ^ ror64(w[t - 15], 8) ^ (w[t - 15] >> 7);
		b = ror64(w[t - 2], 19) ^ ror64(w[t - 2], 61) ^ (w[t - 2] >> 6);
		w[t] = w[t - 16] + a + w[t - 7] + b;
	}
	memcpy(v, h, sizeof(v));
	for (int t = 0; t < 80; t++) {
		a = v[7] + (ror64(v[4], 14) ^ ror64(v[4], 18) ^ ror64(v[4], 41)) +
		    ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[t] + w[t];
		b = (ror64(v[0], 28) ^ ror64(v[0], 34) ^ ror64(v[0], 39)) +
		    ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += a;
		v[0] = a + b;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* One hash: how wide its words are, and how it begins. */
struct kind {
	int word, digest;
	const uint64_t *begin;
};
static const uint64_t begin1[8] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
static const uint64_t begin224[8] = { 0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511,
	0x64f98fa7, 0xbefa4fa4 };
static const uint64_t begin256[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
	0x1f83d9ab, 0x5be0cd19 };
static const uint64_t begin384[8] = { 0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17,
	0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4 };
static const uint64_t begin512[8] = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
	0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 };
static const struct kind kinds[] = {
	[SHA1] = { 4, SHA1HashSize, begin1 },
	[SHA224] = { 4, SHA224HashSize, begin224 },
	[SHA256] = { 4, SHA256HashSize, begin256 },
	[SHA384] = { 8, SHA384HashSize, begin384 },
	[SHA512] = { 8, SHA512HashSize, begin512 },
};

/* A context, whichever it is. */
struct view {
	int which;
	const struct kind *kind;
	uint32_t *h32, *length32; /* state and length, low word first: of 32 bits, */
	uint64_t *h64, *length64; /* or of 64 */
	int_least16_t *at;
	uint8_t *block;
	int *computed, *corrupted;
};

static struct view
view1(SHA1Context *c)
{
	return (struct view){ SHA1, &kinds[SHA1], c->Intermediate_Hash, &c->Length_Low, NULL, NULL,
		&c->Message_Block_Index, c->Message_Block, &c->Computed, &c->Corrupted };
}

static struct view
view256(int which, SHA256Context *c)
{
	return (struct view){ which, &kinds[which], c->Intermediate_Hash, &c->Length_Low, NULL, NULL,
		&c->Message_Block_Index, c->Message_Block, &c->Computed, &c->Corrupted };
}

static struct view
view512(int which, SHA512Context *c)
{
	return (struct view){ which, &kinds[which], NULL, NULL, c->Intermediate_Hash, &c->Length_Low,
		&c->Message_Block_Index, c->Message_Block, &c->Computed, &c->Corrupted };
}

static int
is_kind(int which)
{
	return which >= SHA1 && which <= SHA512;
}

static struct view
view(USHAContext *c)
{
	if (c->whichSha == SHA1)
		return view1(&c->ctx.sha1Context);
	if (c->whichSha <= SHA256)
		return view256(c->whichSha, &c->ctx.sha256Context);
	return view512(c->whichSha, &c->ctx.sha512Context);
}

static int
reset(struct view v)
{
	for (int i = 0; i < (v.which == SHA1 ? 5 : 8); i++) {
		if (v.h32 != NULL)
			v.h32[i] = (uint32_t)v.kind->begin[i];
		else
			v.h64[i] = v.kind->begin[i];
	}
	if (v.length32 != NULL)
		v.length32[0] = v.length32[1] = 0;
	else
		v.length64[0] = v.length64[1] = 0;
	*v.at = 0;
	*v.computed = 0;
	*v.corrupted = shaSuccess;
	return shaSuccess;
}

static void
work(struct view *v)
{
	if (v->which == SHA1)
		sha1_block(v->h32, v->block);
	else if (v->h32 != NULL)
		sha256_block(v->h32, v->block);
	else
		sha512_block(v->h64, v->block);
	*v->at = 0;
}

/* So many bits more. 0, or shaInputTooLong when the two words no longer hold it. */
static int
lengthen(struct view *v, uint64_t bits)
{
	uint64_t all;

	if (v->length64 != NULL) {
		v->length64[0] += bits;
		return v->length64[0] < bits && ++v->length64[1] == 0 ? shaInputTooLong : shaSuccess;
	}
	all = (uint64_t)v->length32[1] << 32 | v->length32[0];
	if (all + bits < all)
		return shaInputTooLong;
	v->length32[0] = (uint32_t)(all + bits);
	v->length32[1] = (uint32_t)((all + bits) >> 32);
	return shaSuccess;
}

static int
open_for_input(struct view *v)
{
	if (*v->computed)
		*v->corrupted = shaStateError;
	return *v->corrupted;
}

static int
input(struct view v, const uint8_t *bytes, unsigned n)
{
	if (n == 0)
		return shaSuccess;
	if (bytes == NULL)
		return shaNull;
	if (open_for_input(&v) != shaSuccess)
		return *v.corrupted;
	if ((*v.corrupted = lengthen(&v, (uint64_t)n * 8)) != shaSuccess)
		return *v.corrupted;
	for (unsigned i = 0; i < n; i++) {
		v.block[(*v.at)++] = bytes[i];
		if (*v.at == v.kind->word * 16)
			work(&v);
	}
	return shaSuccess;
}

/* The message ends with this byte, in which the bit behind the message is set. */
static void
finish(struct view *v, uint8_t last)
{
	int size = v->kind->word * 16, word = v->kind->word;

	v->block[(*v->at)++] = last;
	if (*v->at > size - 2 * word) {
		memset(v->block + *v->at, 0, (size_t)(size - *v->at));
		work(v);
	}
	memset(v->block + *v->at, 0, (size_t)(size - *v->at));
	write_word(v->block + size - 2 * word, v->length32 != NULL ? v->length32[1] : v->length64[1], word);
	write_word(v->block + size - word, v->length32 != NULL ? v->length32[0] : v->length64[0], word);
	work(v);
	memset(v->block, 0, (size_t)size);
	*v->computed = 1;
}

static int
final_bits(struct view v, uint8_t bits, unsigned n)
{
	if (n == 0)
		return shaSuccess;
	if (open_for_input(&v) != shaSuccess)
		return *v.corrupted;
	if (n > 7)
		return *v.corrupted = shaBadParam;
	if ((*v.corrupted = lengthen(&v, n)) != shaSuccess)
		return *v.corrupted;
	finish(&v, (uint8_t)((bits & (0xff00 >> n)) | 0x80 >> n));
	return shaSuccess;
}

static int
result(struct view v, uint8_t *digest)
{
	if (digest == NULL)
		return shaNull;
	if (*v.corrupted != shaSuccess)
		return *v.corrupted;
	if (!*v.computed)
		finish(&v, 0x80);
	for (int at = 0, i = 0; at < v.kind->digest; at += v.kind->word, i++)
		write_word(digest + at, v.h32 != NULL ? v.h32[i] : v.h64[i], v.kind->word);
	return shaSuccess;
}

int
SHA1Reset(SHA1Context *c)
{
	return c != NULL ? reset(view1(c)) : shaNull;
}

int
SHA1Input(SHA1Context *c, const uint8_t *bytes, unsigned int bytecount)
{
	return c != NULL ? input(view1(c), bytes, bytecount) : shaNull;
}

int
SHA1FinalBits(SHA1Context *c, const uint8_t bits, unsigned int bitcount)
{
	return c != NULL ? final_bits(view1(c), bits, bitcount) : shaNull;
}

int
SHA1Result(SHA1Context *c, uint8_t Message_Digest[SHA1HashSize])
{
	return c != NULL ? result(view1(c), Message_Digest) : shaNull;
}

int
SHA224Reset(SHA224Context *c)
{
	return c != NULL ? reset(view256(SHA224, c)) : shaNull;
}

int
SHA224Input(SHA224Context *c, const uint8_t *bytes, unsigned int bytecount)
{
	return c != NULL ? input(view256(SHA224, c), bytes, bytecount) : shaNull;
}

int
SHA224FinalBits(SHA224Context *c, const uint8_t bits, unsigned int bitcount)
{
	return c != NULL ? final_bits(view256(SHA224, c), bits, bitcount) : shaNull;
}

int
SHA224Result(SHA224Context *c, uint8_t Message_Digest[SHA224HashSize])
{
	return c != NULL ? result(view256(SHA224, c), Message_Digest) : shaNull;
}

int
SHA256Reset(SHA256Context *c)
{
	return c != NULL ? reset(view256(SHA256, c)) : shaNull;
}

int
SHA256Input(SHA256Context *c, const uint8_t *bytes, unsigned int bytecount)
{
	return c != NULL ? input(view256(SHA256, c), bytes, bytecount) : shaNull;
}

int
SHA256FinalBits(SHA256Context *c, const uint8_t bits, unsigned int bitcount)
{
	return c != NULL ? final_bits(view256(SHA256, c), bits, bitcount) : shaNull;
}

int
SHA256Result(SHA256Context *c, uint8_t Message_Digest[SHA256HashSize])
{
	return c != NULL ? result(view256(SHA256, c), Message_Digest) : shaNull;
}

int
SHA384Reset(SHA384Context *c)
{
	return c != NULL ? reset(view512(SHA384, c)) : shaNull;
}

int
SHA384Input(SHA384Context *c, const uint8_t *bytes, unsigned int bytecount)
{
	return c != NULL ? input(view512(SHA384, c), bytes, bytecount) : shaNull;
}

int
SHA384FinalBits(SHA384Context *c, const uint8_t bits, unsigned int bitcount)
{
	return c != NULL ? final_bits(view512(SHA384, c), bits, bitcount) : shaNull;
}

int
SHA384Result(SHA384Context *c, uint8_t Message_Digest[SHA384HashSize])
{
	return c != NULL ? result(view512(SHA384, c), Message_Digest) : shaNull;
}

int
SHA512Reset(SHA512Context *c)
{
	return c != NULL ? reset(view512(SHA512, c)) : shaNull;
}

int
SHA512Input(SHA512Context *c, const uint8_t *bytes, unsigned int bytecount)
{
	return c != NULL ? input(view512(SHA512, c), bytes, bytecount) : shaNull;
}

int
SHA512FinalBits(SHA512Context *c, const uint8_t bits, unsigned int bitcount)
{
	return c != NULL ? final_bits(view512(SHA512, c), bits, bitcount) : shaNull;
}

int
SHA512Result(SHA512Context *c, uint8_t Message_Digest[SHA512HashSize])
{
	return c != NULL ? result(view512(SHA512, c), Message_Digest) : shaNull;
}

int
USHAReset(USHAContext *c, SHAversion whichSha)
{
	if (c == NULL)
		return shaNull;
	c->whichSha = (int)whichSha;
	return is_kind((int)whichSha) ? reset(view(c)) : shaBadParam;
}

/* Can this context be looked at? */
static int
check(const USHAContext *c)
{
	if (c == NULL)
		return shaNull;
	return is_kind(c->whichSha) ? shaSuccess : shaBadParam;
}

int
USHAInput(USHAContext *c, const uint8_t *bytes, unsigned int bytecount)
{
	int rc = check(c);

	return rc == shaSuccess ? input(view(c), bytes, bytecount) : rc;
}

int
USHAFinalBits(USHAContext *c, const uint8_t bits, unsigned int bitcount)
{
	int rc = check(c);

	return rc == shaSuccess ? final_bits(view(c), bits, bitcount) : rc;
}

int
USHAResult(USHAContext *c, uint8_t Message_Digest[USHAMaxHashSize])
{
	int rc = check(c);

	return rc == shaSuccess ? result(view(c), Message_Digest) : rc;
}

int
USHABlockSize(enum SHAversion whichSha)
{
	return is_kind((int)whichSha) ? kinds[whichSha].word * 16 : 0;
}

int
USHAHashSize(enum SHAversion whichSha)
{
	return is_kind((int)whichSha) ? kinds[whichSha].digest : 0;
}

int
USHAHashSizeBits(enum SHAversion whichSha)
{
	return USHAHashSize(whichSha) * 8;
}

/* A key longer than a block stands for its hash. */
static int
shorten(SHAversion which, const unsigned char *key, int key_len, uint8_t digest[USHAMaxHashSize])
{
	USHAContext c;
	int rc = USHAReset(&c, which);

	if (rc == shaSuccess)
		rc = USHAInput(&c, key, (unsigned)key_len);
	return rc == shaSuccess ? USHAResult(&c, digest) : rc;
}

int
hmacReset(HMACContext *ctx, enum SHAversion whichSha, const unsigned char *key, int key_len)
{
	uint8_t digest[USHAMaxHashSize], pad[USHA_Max_Message_Block_Size];
	int rc;

	if (ctx == NULL || (key == NULL && key_len > 0))
		return shaNull;
	if (!is_kind((int)whichSha) || key_len < 0)
		return shaBadParam;
	ctx->whichSha = (int)whichSha;
	ctx->hashSize = USHAHashSize(whichSha);
	ctx->blockSize = USHABlockSize(whichSha);
	if (key_len > ctx->blockSize) {
		if ((rc = shorten(whichSha, key, key_len, digest)) != shaSuccess)
			return rc;
		key = digest;
		key_len = ctx->hashSize;
	}
	for (int i = 0; i < ctx->blockSize; i++) {
		pad[i] = (uint8_t)((i < key_len ? key[i] : 0) ^ 0x36);
		ctx->k_opad[i] = (uint8_t)((i < key_len ? key[i] : 0) ^ 0x5c);
	}
	rc = USHAReset(&ctx->shaContext, whichSha);
	if (rc == shaSuccess)
		rc = USHAInput(&ctx->shaContext, pad, (unsigned)ctx->blockSize);
	OPENSSL_cleanse(digest, sizeof(digest));
	OPENSSL_cleanse(pad, sizeof(pad));
	return rc;
}

int
hmacInput(HMACContext *ctx, const unsigned char *text, int text_len)
{
	if (ctx == NULL)
		return shaNull;
	return text_len >= 0 ? USHAInput(&ctx->shaContext, text, (unsigned)text_len) : shaBadParam;
}

int
hmacFinalBits(HMACContext *ctx, const uint8_t bits, unsigned int bitcount)
{
	return ctx != NULL ? USHAFinalBits(&ctx->shaContext, bits, bitcount) : shaNull;
}

int
hmacResult(HMACContext *ctx, uint8_t digest[USHAMaxHashSize])
{
	USHAContext outer;
	int rc;

	if (ctx == NULL || digest == NULL)
		return shaNull;
	rc = USHAResult(&ctx->shaContext, digest);
	if (rc == shaSuccess)
		rc = USHAReset(&outer, (SHAversion)ctx->whichSha);
	if (rc == shaSuccess)
		rc = USHAInput(&outer, ctx->k_opad, (unsigned)ctx->blockSize);
	if (rc == shaSuccess)
		rc = USHAInput(&outer, digest, (unsigned)ctx->hashSize);
	return rc == shaSuccess ? USHAResult(&outer, digest) : rc;
}

int
hmac(SHAversion whichSha, const unsigned char *text, int text_len, const unsigned char *key, int key_len,
    uint8_t digest[USHAMaxHashSize])
{
	HMACContext ctx;
	int rc = hmacReset(&ctx, whichSha, key, key_len);

	if (rc == shaSuccess)
		rc = hmacInput(&ctx, text, text_len);
	if (rc == shaSuccess)
		rc = hmacResult(&ctx, digest);
	OPENSSL_cleanse(&ctx, sizeof(ctx));
	return rc;
}
