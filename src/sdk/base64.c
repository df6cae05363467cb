#include <string.h>

#include "azure_c_shared_utility/azure_base64.h"
#include "base/b64.h"

STRING_HANDLE
Azure_Base64_Encode_Bytes(const unsigned char *source, size_t size)
{
	struct buf b = { 0 };
	STRING_HANDLE s = NULL;

	if (source != NULL && b64_put(&b, source, size) == 0)
		s = STRING_from_byte_array(buf_data(&b), buf_size(&b));
	buf_free(&b);
	return s;
}

STRING_HANDLE
Azure_Base64_Encode(BUFFER_HANDLE input)
{
	if (input == NULL)
		return NULL;
	return BUFFER_length(input) > 0
		   ? Azure_Base64_Encode_Bytes(BUFFER_u_char(input), BUFFER_length(input))
		   : STRING_new();
}

BUFFER_HANDLE
Azure_Base64_Decode(const char *source)
{
	struct buf b = { 0 };
	BUFFER_HANDLE h = NULL;

	if (source != NULL && b64_get(&b, source, strlen(source)) == 0)
		h = buf_size(&b) > 0 ? BUFFER_create(buf_data(&b), buf_size(&b)) : BUFFER_new();
	buf_free(&b);
	return h;
}
