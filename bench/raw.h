/* What a backend does by itself, with nothing of Holdfast in between: the floor of a signature. A failure ends the program. */
#ifndef BENCH_RAW_H
#define BENCH_RAW_H
#include <stdint.h>
/* Before Holdfast opens the same key: it shares an engine that is there already. */
void raw_prepare(const char *uri);
void raw_open(int rsa);
/* Signatures are made between the two; in the meantime nobody else reaches a TPM. */
void raw_begin(void);
void raw_end(void);
void raw_sign(const uint8_t digest[32]); /* ECDSA or RSA-PSS, SHA-256 */
#endif
