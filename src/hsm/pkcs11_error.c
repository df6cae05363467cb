#include <stdarg.h>
#include <stdio.h>
#include "hsm/pkcs11.h"

#define SAYS(code, todo)                                                                                     \
	{                                                                                                    \
		code, #code, todo                                                                            \
	}
static const struct {
	CK_RV code;
	const char *name, *todo;
} words[] = {
	SAYS(CKR_ARGUMENTS_BAD, ""),
	SAYS(CKR_ATTRIBUTE_TYPE_INVALID, ""),
	SAYS(CKR_ATTRIBUTE_VALUE_INVALID, "; the token does not take such an object"),
	SAYS(CKR_BUFFER_TOO_SMALL, ""),
	SAYS(CKR_CANT_LOCK, "; the module is not made for programs with threads"),
	SAYS(CKR_CRYPTOKI_ALREADY_INITIALIZED, ""),
	SAYS(CKR_CRYPTOKI_NOT_INITIALIZED, "; something else in this program has shut the module down"),
	SAYS(CKR_CURVE_NOT_SUPPORTED, "; the token does not know this curve"),
	SAYS(CKR_DATA_INVALID, ""),
	SAYS(CKR_DATA_LEN_RANGE, ""),
	SAYS(CKR_DEVICE_ERROR, "; is the token well connected?"),
	SAYS(CKR_DEVICE_MEMORY, "; the token is full"),
	SAYS(CKR_DEVICE_REMOVED, "; put the token back, the next use looks for it again"),
	SAYS(CKR_DOMAIN_PARAMS_INVALID, "; the token does not know this curve"),
	SAYS(CKR_FUNCTION_CANCELED, "; somebody said no at the token"),
	SAYS(CKR_FUNCTION_FAILED, ""),
	SAYS(CKR_FUNCTION_NOT_SUPPORTED, "; this module cannot do it"),
	SAYS(CKR_FUNCTION_REJECTED, "; somebody said no at the token"),
	SAYS(CKR_GENERAL_ERROR, ""),
	SAYS(CKR_HOST_MEMORY, "; out of memory"),
	SAYS(CKR_KEY_FUNCTION_NOT_PERMITTED, "; the key was made for something else (CKA_SIGN)"),
	SAYS(CKR_KEY_HANDLE_INVALID, "; the next use looks for the key again"),
	SAYS(CKR_KEY_SIZE_RANGE, "; the token does not take keys of this size"),
	SAYS(CKR_KEY_TYPE_INCONSISTENT, ""),
	SAYS(CKR_MECHANISM_INVALID, "; the token cannot do this"),
	SAYS(CKR_MECHANISM_PARAM_INVALID, "; the token cannot do this"),
	SAYS(CKR_OBJECT_HANDLE_INVALID, "; the next use looks for the key again"),
	SAYS(CKR_OPERATION_ACTIVE, ""),
	SAYS(CKR_OPERATION_NOT_INITIALIZED, ""),
	SAYS(CKR_PIN_EXPIRED, "; set a new PIN with the token's own tool"),
	SAYS(CKR_PIN_INCORRECT, ""),
	SAYS(CKR_PIN_INVALID, ""),
	SAYS(CKR_PIN_LEN_RANGE, ""),
	SAYS(CKR_PIN_LOCKED, "; unlock it with the security officer's PIN"),
	SAYS(CKR_RANDOM_NO_RNG, "; say which id the key gets: id=%01"),
	SAYS(CKR_SESSION_CLOSED, "; the next use opens a new one"),
	SAYS(CKR_SESSION_COUNT, "; too many programs use the token"),
	SAYS(CKR_SESSION_HANDLE_INVALID, "; the next use opens a new one"),
	SAYS(CKR_SESSION_READ_ONLY, ""),
	SAYS(CKR_SIGNATURE_LEN_RANGE, ""),
	SAYS(CKR_SLOT_ID_INVALID, "; the token is gone"),
	SAYS(CKR_TEMPLATE_INCOMPLETE, "; the token does not take such an object"),
	SAYS(CKR_TEMPLATE_INCONSISTENT, "; the token does not take such an object"),
	SAYS(CKR_TOKEN_NOT_PRESENT, "; put the token back, the next use looks for it again"),
	SAYS(CKR_TOKEN_NOT_RECOGNIZED, "; is this the right module for the token?"),
	SAYS(CKR_TOKEN_WRITE_PROTECTED, "; the token is write-protected"),
	SAYS(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, "; this program is the token's security officer already"),
	SAYS(CKR_USER_NOT_LOGGED_IN, "; it wants a PIN first: add ?pin-source=FILE to the URI"),
	SAYS(CKR_USER_PIN_NOT_INITIALIZED, "; set the user's PIN with the token's own tool"),
	SAYS(CKR_USER_TOO_MANY_TYPES, ""),
};

static size_t
look_up(CK_RV rv)
{
	size_t i = 0;

	while (i < sizeof words / sizeof *words && words[i].code != rv)
		i++;
	return i;
}

const char *
pkcs11_error(CK_RV rv, char hex[32])
{
	size_t i = look_up(rv);

	if (i < sizeof words / sizeof *words)
		return words[i].name;
	snprintf(hex, 32, "CKR 0x%lx", rv);
	return hex;
}

int
pkcs11_is_lost(CK_RV rv)
{
	static const CK_RV lost[] = { CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED,
		CKR_KEY_HANDLE_INVALID, CKR_OBJECT_HANDLE_INVALID, CKR_OPERATION_ACTIVE, CKR_SESSION_CLOSED,
		CKR_SESSION_HANDLE_INVALID, CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT,
		CKR_USER_NOT_LOGGED_IN };

	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
		if (rv == lost[i])
			return 1;
	return 0;
}

static int
code_of(CK_RV rv)
{
	switch (rv) {
	case CKR_HOST_MEMORY:
		return HF_ERR_MEMORY;
	case CKR_CURVE_NOT_SUPPORTED:
	case CKR_DATA_LEN_RANGE:
	case CKR_DOMAIN_PARAMS_INVALID:
	case CKR_FUNCTION_NOT_SUPPORTED:
	case CKR_KEY_FUNCTION_NOT_PERMITTED:
	case CKR_KEY_SIZE_RANGE:
	case CKR_KEY_TYPE_INCONSISTENT:
	case CKR_MECHANISM_INVALID:
	case CKR_MECHANISM_PARAM_INVALID:
		return HF_ERR_UNSUPPORTED;
	default:
		return HF_ERR_KEY;
	}
}

int
pkcs11_fail(struct pkcs11 *p, CK_RV rv, struct hf_error *err, const char *fmt, ...)
{
	size_t i = look_up(rv);
	char what[200], hex[32];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return err_set(err, code_of(rv), "%s: cannot %s: %s%s", p->name, what, pkcs11_error(rv, hex),
	    i < sizeof words / sizeof *words ? words[i].todo : "");
}
