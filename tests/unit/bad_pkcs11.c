/* SoftHSM, who misbehaves as $BAD_PKCS11 says. What it says is looked up at each call. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <p11-kit/pkcs11.h>

#define REAL "/usr/lib/softhsm/libsofthsm2.so"

static CK_FUNCTION_LIST *real, mine;

static int
bad(const char *how)
{
	const char *now = getenv("BAD_PKCS11");

	return now && strcmp(now, how) == 0;
}

static CK_RV
initialize(void *args)
{
	return bad("initialize") ? CKR_GENERAL_ERROR : real->C_Initialize(args);
}

static CK_RV
get_slots(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n)
{
	CK_RV rv = bad("slots") ? CKR_DEVICE_ERROR : real->C_GetSlotList(present, slots, n);

	if (bad("slots-many"))
		*n = 1000;
	return rv;
}

static CK_RV
get_token(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	CK_RV rv = real->C_GetTokenInfo(slot, info);

	if (bad("pin-low"))
		info->flags |= CKF_USER_PIN_COUNT_LOW;
	if (bad("pin-final"))
		info->flags |= CKF_USER_PIN_FINAL_TRY;
	if (bad("pin-now-locked"))
		info->flags |= CKF_USER_PIN_LOCKED;
	if (bad("keypad") || bad("keypad-no"))
		info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if (bad("label"))
		memcpy(info->label, "\033[2J\nx", 6);
	return rv;
}

static CK_RV
open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
	return bad("session") ? CKR_TOKEN_NOT_PRESENT
			      : real->C_OpenSession(slot, flags, app, notify, session);
}

static CK_RV
login(CK_SESSION_HANDLE session, CK_USER_TYPE who, CK_UTF8CHAR *pin, CK_ULONG n)
{
	if (bad("pin-locked"))
		return CKR_PIN_LOCKED;
	if (bad("keypad-no"))
		return CKR_FUNCTION_CANCELED;
	if (bad("keypad"))
		return pin ? CKR_ARGUMENTS_BAD : real->C_Login(session, who, (CK_UTF8CHAR *)"1234", 4);
	if (bad("vendor"))
		return CKR_VENDOR_DEFINED | 0x17;
	if (bad("context") && who == CKU_CONTEXT_SPECIFIC)
		return CKR_PIN_INCORRECT;
	return real->C_Login(session, who, pin, n);
}

static CK_RV
find(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *o, CK_ULONG max, CK_ULONG *n)
{
	CK_RV rv = bad("find") ? CKR_DEVICE_REMOVED : real->C_FindObjects(session, o, max, n);

	if (bad("find-many"))
		*n = 1000000;
	return rv;
}

/* A point without its OCTET STRING: two or three bytes less in front. */
static void
unwrap(CK_ATTRIBUTE *a)
{
	CK_BYTE *p = a->pValue;
	CK_ULONG head = a->ulValueLen > 130 ? 3 : 2;

	if (p) {
		memmove(p, p + head, a->ulValueLen - head);
		a->ulValueLen -= head;
	}
}

static CK_RV
get_attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *a, CK_ULONG n)
{
	CK_RV rv;

	if (bad("hidden") && (a->type == CKA_EC_POINT || a->type == CKA_MODULUS))
		return CKR_ATTRIBUTE_TYPE_INVALID;
	rv = real->C_GetAttributeValue(session, o, a, n);
	if (rv == CKR_OK && bad("point") && a->type == CKA_EC_POINT)
		unwrap(a);
	if (bad("value-huge"))
		a->ulValueLen = 1UL << 40;
	if (bad("value-none"))
		a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
	if (bad("value-grows") && a->pValue)
		a->ulValueLen += 100;
	if (bad("value-junk") && a->pValue)
		memset(a->pValue, 0xff, a->ulValueLen);
	return rv;
}

static CK_RV
get_mechanism(CK_SLOT_ID slot, CK_MECHANISM_TYPE what, CK_MECHANISM_INFO *info)
{
	if (bad("mechanism"))
		return CKR_MECHANISM_INVALID;
	if (bad("no-pss") && what == CKM_RSA_PKCS_PSS)
		return CKR_MECHANISM_INVALID;
	return real->C_GetMechanismInfo(slot, what, info);
}

/* The salt as long as can be, as some chips do it. */
static CK_RV
sign_begin(CK_SESSION_HANDLE session, CK_MECHANISM *how, CK_OBJECT_HANDLE key)
{
	CK_RSA_PKCS_PSS_PARAMS *pss = how->pParameter, longest;
	CK_MECHANISM other = *how;

	if (bad("not-permitted"))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (how->mechanism != CKM_RSA_PKCS_PSS || !bad("salt"))
		return real->C_SignInit(session, how, key);
	longest = *pss;
	longest.sLen = 222;
	other.pParameter = &longest;
	return real->C_SignInit(session, &other, key);
}

static CK_RV
sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG n, CK_BYTE *sig, CK_ULONG *len)
{
	CK_RV rv = real->C_Sign(session, data, n, sig, len);

	if (bad("removed"))
		return CKR_DEVICE_REMOVED;
	if (bad("not-present"))
		return CKR_TOKEN_NOT_PRESENT;
	if (bad("session-gone"))
		return CKR_SESSION_HANDLE_INVALID;
	if (bad("sign-long"))
		*len = 1000000;
	if (bad("sign-odd"))
		*len = 63;
	if (bad("sign-empty"))
		*len = 0;
	return rv;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get = library ? (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList") : NULL;

	if (!get || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	mine = *real;
	mine.C_Initialize = initialize;
	mine.C_GetSlotList = get_slots;
	mine.C_GetTokenInfo = get_token;
	mine.C_OpenSession = open_session;
	mine.C_Login = login;
	mine.C_FindObjects = find;
	mine.C_GetAttributeValue = get_attribute;
	mine.C_GetMechanismInfo = get_mechanism;
	mine.C_SignInit = sign_begin;
	mine.C_Sign = sign;
	*list = &mine;
	return CKR_OK;
}
