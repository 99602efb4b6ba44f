/* A PKCS#11 module that misbehaves on command.
 *
 * It loads the real module named by FAULTY_MODULE and returns its function list with
 * the functions below replaced. Each replacement first reads its row of a table in
 * the file named by FAULTY_CONTROL. The file is mapped shared: a test changes the
 * table while processes use the module, and reads back how often all of them called
 * each function. Package faulty generates functions.h, which defines the order of
 * the table. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CK_PTR *
#define NULL_PTR 0
#define CK_DEFINE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#include "pkcs11.h"

#include "functions.h"

enum { ACTION_NONE, ACTION_HANG, ACTION_RETURN, ACTION_DELAY, ACTION_CORRUPT, ACTION_CRASH };

/* One row per function. Package faulty writes the first half and reads the second.
 * All fields are accessed atomically. */
struct fault {
	uint64_t action;
	uint64_t value; /* the CKR to return, or milliseconds to wait */
	uint64_t every; /* fail every Nth call; 0 and 1 mean every call */
	uint64_t limit; /* fail at most this often; 0 means no limit */
	uint64_t pid;   /* fail only in this process; 0 means in all */
	uint64_t since; /* the value of calls when the fault was set; "every" counts from there */
	uint64_t calls;
	uint64_t fired;
};

static CK_FUNCTION_LIST real, list;
static struct fault *table;

static uint64_t get(uint64_t *field) { return __atomic_load_n(field, __ATOMIC_SEQ_CST); }

/* strike counts a call of function f and returns the action for it. */
static uint64_t strike(int f, uint64_t *value)
{
	struct fault *row = &table[f];
	uint64_t call = __atomic_add_fetch(&row->calls, 1, __ATOMIC_SEQ_CST) - get(&row->since);
	uint64_t action = get(&row->action), every = get(&row->every), limit = get(&row->limit), pid = get(&row->pid);

	if (action == ACTION_NONE || (pid != 0 && pid != (uint64_t)getpid()) || (every > 1 && call % every != 0))
		return ACTION_NONE;
	uint64_t fired = __atomic_add_fetch(&row->fired, 1, __ATOMIC_SEQ_CST);
	if (limit != 0 && fired > limit) {
		__atomic_sub_fetch(&row->fired, 1, __ATOMIC_SEQ_CST);
		return ACTION_NONE;
	}
	*value = get(&row->value);
	return action;
}

/* act performs an action before the real call. If it returns 1 the real call must not
 * happen, and *rv is the result. */
static int act(uint64_t action, uint64_t value, CK_RV *rv)
{
	switch (action) {
	case ACTION_HANG:
		for (;;)
			pause();
	case ACTION_CRASH:
		*(volatile int *)0 = 0;
		return 1;
	case ACTION_RETURN:
		*rv = (CK_RV)value;
		return 1;
	case ACTION_DELAY: {
		struct timespec t = {(time_t)(value / 1000), (long)(value % 1000) * 1000000L};
		while (nanosleep(&t, &t) != 0)
			;
		return 0;
	}
	}
	return 0;
}

#define WRAP(name, params, args)                                                                                                            \
	static CK_RV faulty_##name params                                                                                                   \
	{                                                                                                                                   \
		CK_RV rv = CKR_OK;                                                                                                          \
		uint64_t value = 0, action = strike(INDEX_##name, &value);                                                                  \
		return act(action, value, &rv) ? rv : real.name args;                                                                       \
	}

typedef CK_SESSION_HANDLE session;
typedef CK_OBJECT_HANDLE object;

WRAP(C_Initialize, (CK_VOID_PTR a), (a))
WRAP(C_Finalize, (CK_VOID_PTR a), (a))
WRAP(C_GetInfo, (CK_INFO_PTR a), (a))
WRAP(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR n), (present, slots, n))
WRAP(C_GetSlotInfo, (CK_SLOT_ID id, CK_SLOT_INFO_PTR info), (id, info))
WRAP(C_GetTokenInfo, (CK_SLOT_ID id, CK_TOKEN_INFO_PTR info), (id, info))
WRAP(C_GetMechanismList, (CK_SLOT_ID id, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR n), (id, list, n))
WRAP(C_OpenSession, (CK_SLOT_ID id, CK_FLAGS f, CK_VOID_PTR app, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR s), (id, f, app, notify, s))
WRAP(C_CloseSession, (session s), (s))
WRAP(C_CloseAllSessions, (CK_SLOT_ID id), (id))
WRAP(C_GetSessionInfo, (session s, CK_SESSION_INFO_PTR info), (s, info))
WRAP(C_Login, (session s, CK_USER_TYPE u, CK_UTF8CHAR_PTR pin, CK_ULONG n), (s, u, pin, n))
WRAP(C_Logout, (session s), (s))
WRAP(C_CreateObject, (session s, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR o), (s, t, n, o))
WRAP(C_CopyObject, (session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR c), (s, o, t, n, c))
WRAP(C_DestroyObject, (session s, object o), (s, o))
WRAP(C_GetAttributeValue, (session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, o, t, n))
WRAP(C_SetAttributeValue, (session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, o, t, n))
WRAP(C_FindObjectsInit, (session s, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, t, n))
WRAP(C_FindObjects, (session s, CK_OBJECT_HANDLE_PTR o, CK_ULONG max, CK_ULONG_PTR n), (s, o, max, n))
WRAP(C_FindObjectsFinal, (session s), (s))
WRAP(C_SignInit, (session s, CK_MECHANISM_PTR m, object key), (s, m, key))
WRAP(C_GenerateKeyPair,
     (session s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR pub, CK_ULONG npub, CK_ATTRIBUTE_PTR priv, CK_ULONG npriv, CK_OBJECT_HANDLE_PTR hpub,
      CK_OBJECT_HANDLE_PTR hpriv),
     (s, m, pub, npub, priv, npriv, hpub, hpriv))

/* Calls that only ask for the length of the signature do not count, so that each
 * signature counts once. */
static CK_RV faulty_C_Sign(session s, CK_BYTE_PTR data, CK_ULONG n, CK_BYTE_PTR signature, CK_ULONG_PTR length)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action;

	if (signature == NULL)
		return real.C_Sign(s, data, n, signature, length);
	action = strike(INDEX_C_Sign, &value);
	if (act(action, value, &rv))
		return rv;
	rv = real.C_Sign(s, data, n, signature, length);
	if (rv == CKR_OK && action == ACTION_CORRUPT && *length > 0)
		signature[*length / 2] ^= 0x01;
	return rv;
}

static struct fault *map_table(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size < FUNCTIONS * sizeof(struct fault))
		return NULL;
	void *at = mmap(NULL, FUNCTIONS * sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

static CK_RV load(void)
{
	const char *module = getenv("FAULTY_MODULE"), *control = getenv("FAULTY_CONTROL");
	if (module == NULL || control == NULL || (table = map_table(control)) == NULL)
		return CKR_GENERAL_ERROR;
	void *handle = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList entry = handle == NULL ? NULL : (CK_C_GetFunctionList)dlsym(handle, "C_GetFunctionList");
	CK_FUNCTION_LIST_PTR functions = NULL;
	if (entry == NULL || entry(&functions) != CKR_OK || functions == NULL)
		return CKR_GENERAL_ERROR;
	real = list = *functions;
	return CKR_OK;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out)
{
	if (table == NULL) {
		CK_RV rv = load();
		if (rv != CKR_OK)
			return rv;
		list.C_GetFunctionList = C_GetFunctionList;
#define REPLACE(name) list.name = faulty_##name;
		EACH_FUNCTION(REPLACE)
	}
	*out = &list;
	return CKR_OK;
}
