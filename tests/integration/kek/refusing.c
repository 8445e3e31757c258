/* SPDX-License-Identifier: Apache-2.0
 *
 * A PKCS#11 module that is SoftHSM's ($SOFTHSM_MODULE), but for one function, which refuses as
 * $REFUSE says: "C_Login 0xa4". SoftHSM locks no PIN, and its tools make no key that may not
 * decrypt. */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>

static CK_FUNCTION_LIST *real;

static CK_RV refusal(const char *function)
{
	const char *said = getenv("REFUSE");
	size_t n = strlen(function);

	return said && strncmp(said, function, n) == 0 && said[n] == ' '
		       ? strtoul(said + n, NULL, 0)
		       : CKR_OK;
}

#define REFUSES(function, parameters, ...)                                                         \
	static CK_RV refusing_##function parameters                                                \
	{                                                                                          \
		CK_RV rv = refusal(#function);                                                     \
                                                                                                   \
		return rv ? rv : real->function(__VA_ARGS__);                                      \
	}

REFUSES(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *n), present, slots, n)
REFUSES(C_OpenSession,
	(CK_SLOT_ID slot, CK_FLAGS flags, void *ctx, CK_NOTIFY notify, CK_SESSION_HANDLE *s), slot,
	flags, ctx, notify, s)
REFUSES(C_Login, (CK_SESSION_HANDLE s, CK_USER_TYPE who, unsigned char *pin, CK_ULONG n), s, who,
	pin, n)
REFUSES(C_FindObjectsInit, (CK_SESSION_HANDLE s, CK_ATTRIBUTE *wanted, CK_ULONG n), s, wanted, n)
REFUSES(C_GetAttributeValue,
	(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ATTRIBUTE *wanted, CK_ULONG n), s, key,
	wanted, n)
REFUSES(C_EncryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *by, CK_OBJECT_HANDLE key), s, by, key)
REFUSES(C_DecryptInit, (CK_SESSION_HANDLE s, CK_MECHANISM *by, CK_OBJECT_HANDLE key), s, by, key)
REFUSES(C_Decrypt,
	(CK_SESSION_HANDLE s, unsigned char *in, CK_ULONG n, unsigned char *out, CK_ULONG *out_n),
	s, in, n, out, out_n)
REFUSES(C_SignInit, (CK_SESSION_HANDLE s, CK_MECHANISM *by, CK_OBJECT_HANDLE key), s, by, key)
REFUSES(C_Sign,
	(CK_SESSION_HANDLE s, unsigned char *in, CK_ULONG n, unsigned char *out, CK_ULONG *out_n),
	s, in, n, out, out_n)

#define IN_PLACE(function) list.function = refusing_##function

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
	static CK_FUNCTION_LIST list;
	const char *path = getenv("SOFTHSM_MODULE");
	void *module = path ? dlopen(path, RTLD_NOW) : NULL;
	CK_C_GetFunctionList get =
		module ? (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList") : NULL;

	if (!get || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	list = *real;
	IN_PLACE(C_GetSlotList);
	IN_PLACE(C_OpenSession);
	IN_PLACE(C_Login);
	IN_PLACE(C_FindObjectsInit);
	IN_PLACE(C_GetAttributeValue);
	IN_PLACE(C_EncryptInit);
	IN_PLACE(C_DecryptInit);
	IN_PLACE(C_Decrypt);
	IN_PLACE(C_SignInit);
	IN_PLACE(C_Sign);
	*ret = &list;
	return CKR_OK;
}
