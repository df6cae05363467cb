#include "azure_c_shared_utility/buffer_.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct BUFFER_TAG {
	unsigned char *p; /* NULL when it is empty */
	size_t n;
};

/* A piece of other bytes, or none. */
struct piece {
	const void *p;
	size_t n;
};

/* These two pieces, one behind the other, become the buffer; they may be its own bytes. p NULL: bytes that are 0. */
static int
become(BUFFER_HANDLE h, struct piece a, struct piece b)
{
	unsigned char *p = NULL;

	if (a.n > PTRDIFF_MAX || b.n > PTRDIFF_MAX - a.n)
		return MU_FAILURE;
	if (a.n + b.n > 0 && (p = calloc(1, a.n + b.n)) == NULL)
		return MU_FAILURE;
	if (a.p != NULL && a.n > 0)
		memcpy(p, a.p, a.n);
	if (b.p != NULL && b.n > 0)
		memcpy(p + a.n, b.p, b.n);
	if (h->p != NULL)
		OPENSSL_cleanse(h->p, h->n);
	free(h->p);
	h->p = p;
	h->n = a.n + b.n;
	return 0;
}

static struct piece
own(BUFFER_HANDLE h)
{
	return (struct piece){ h->p, h->n };
}

static BUFFER_HANDLE
make(const void *src, size_t n)
{
	BUFFER_HANDLE h = calloc(1, sizeof(*h));

	if (h != NULL && become(h, (struct piece){ src, n }, (struct piece){ NULL, 0 }) == 0)
		return h;
	free(h);
	return NULL;
}

BUFFER_HANDLE
BUFFER_new(void)
{
	return make(NULL, 0);
}

BUFFER_HANDLE
BUFFER_create(const unsigned char *source, size_t size)
{
	return source != NULL ? make(source, size) : NULL;
}

BUFFER_HANDLE
BUFFER_create_with_size(size_t buff_size)
{
	return make(NULL, buff_size);
}

BUFFER_HANDLE
BUFFER_clone(BUFFER_HANDLE handle)
{
	return handle != NULL ? make(handle->p, handle->n) : NULL;
}

void
BUFFER_delete(BUFFER_HANDLE handle)
{
	if (handle == NULL)
		return;
	if (handle->p != NULL)
		OPENSSL_cleanse(handle->p, handle->n);
	free(handle->p);
	free(handle);
}

int
BUFFER_pre_build(BUFFER_HANDLE handle, size_t size)
{
	if (handle == NULL || size == 0 || handle->p != NULL)
		return MU_FAILURE;
	return become(handle, (struct piece){ NULL, size }, (struct piece){ NULL, 0 });
}

int
BUFFER_build(BUFFER_HANDLE handle, const unsigned char *source, size_t size)
{
	if (handle == NULL || (source == NULL && size > 0))
		return MU_FAILURE;
	return become(handle, (struct piece){ source, size }, (struct piece){ NULL, 0 });
}

int
BUFFER_append_build(BUFFER_HANDLE handle, const unsigned char *source, size_t size)
{
	if (handle == NULL || source == NULL || size == 0)
		return MU_FAILURE;
	return become(handle, own(handle), (struct piece){ source, size });
}

int
BUFFER_unbuild(BUFFER_HANDLE handle)
{
	return BUFFER_build(handle, NULL, 0);
}

int
BUFFER_enlarge(BUFFER_HANDLE handle, size_t enlargeSize)
{
	if (handle == NULL || enlargeSize == 0)
		return MU_FAILURE;
	return become(handle, own(handle), (struct piece){ NULL, enlargeSize });
}

int
BUFFER_shrink(BUFFER_HANDLE handle, size_t decreaseSize, bool fromEnd)
{
	struct piece left;

	if (handle == NULL || decreaseSize == 0 || decreaseSize > handle->n)
		return MU_FAILURE;
	left = (struct piece){ fromEnd ? handle->p : handle->p + decreaseSize, handle->n - decreaseSize };
	return become(handle, left, (struct piece){ NULL, 0 });
}

int
BUFFER_content(BUFFER_HANDLE handle, const unsigned char **content)
{
	if (handle == NULL || content == NULL)
		return MU_FAILURE;
	*content = handle->p;
	return 0;
}

int
BUFFER_size(BUFFER_HANDLE handle, size_t *size)
{
	if (handle == NULL || size == NULL)
		return MU_FAILURE;
	*size = handle->n;
	return 0;
}

unsigned char *
BUFFER_u_char(BUFFER_HANDLE handle)
{
	return handle != NULL ? handle->p : NULL;
}

size_t
BUFFER_length(BUFFER_HANDLE handle)
{
	return handle != NULL ? handle->n : 0;
}

int
BUFFER_append(BUFFER_HANDLE handle1, BUFFER_HANDLE handle2)
{
	if (handle1 == NULL || handle2 == NULL || handle1 == handle2)
		return MU_FAILURE;
	return become(handle1, own(handle1), own(handle2));
}

int
BUFFER_prepend(BUFFER_HANDLE handle1, BUFFER_HANDLE handle2)
{
	if (handle1 == NULL || handle2 == NULL || handle1 == handle2)
		return MU_FAILURE;
	return become(handle1, own(handle2), own(handle1));
}

int
BUFFER_fill(BUFFER_HANDLE handle, unsigned char fill_char)
{
	if (handle == NULL)
		return MU_FAILURE;
	if (handle->n > 0)
		memset(handle->p, fill_char, handle->n);
	return 0;
}
