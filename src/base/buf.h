/*
 * A growable run of bytes. The live ones are buf_data()..+buf_size(); eating from the front only moves an offset, and
 * the storage is reused once all is eaten. Zero-initialise it; buf_free() wipes and gives back. What is put must not be
 * the buffer's own bytes: they move.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *p;
	size_t off, len, cap; /* live bytes are p[off..len) */
};
static inline const uint8_t *
buf_data(const struct buf *b)
{
	return b->off > 0 ? b->p + b->off : b->p; /* nothing may be added to a NULL, not even 0 */
}
static inline size_t
buf_size(const struct buf *b)
{
	return b->len - b->off;
}
/* These return 0, or HF_ERR_MEMORY with the buffer unchanged. */
int buf_put(struct buf *, const void *, size_t);
int buf_puts(struct buf *, const char *);
int buf_putc(struct buf *, uint8_t);
int buf_put16(struct buf *, unsigned); /* big-endian */
int buf_put32(struct buf *, uint32_t);
int buf_fmt(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for n more bytes, to be filled and then counted by buf_add(). NULL: out of memory. */
uint8_t *buf_room(struct buf *, size_t n);
void buf_add(struct buf *, size_t n);
void buf_eat(struct buf *, size_t n);
void buf_clear(struct buf *); /* empties and wipes, keeps the storage */
void buf_free(struct buf *);
/* The bytes as a C string (a NUL is kept behind them, not counted). NULL: out of memory. */
char *buf_str(struct buf *);
#endif
