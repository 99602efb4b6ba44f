/* A PKCS#11 module that misbehaves on command.
 *
 * It loads the real module named by FAULTY_MODULE and returns its function list with
 * the functions below replaced. Each replacement first reads its row of a table in
 * the file named by FAULTY_CONTROL. The file is mapped shared: a test changes the
 * table while processes use the module, and reads back how often all of them called
 * each function. Package faulty generates functions.h, which defines the order of
 * the table. After the rows come settings, which make the module count wrong PINs
 * hide objects, and have the traits of other modules. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

/* Settings follow the rows. */
struct settings {
	uint64_t pin_limit;  /* this many wrong PINs lock the token; 0 means never */
	uint64_t wrong_pins; /* since the last login, of all processes */
	uint64_t frozen;     /* hide objects that other processes made after the login */
	uint64_t hashing;    /* have no mechanisms that sign digests */
	uint64_t endless;    /* searches find the same objects over and over */
	uint64_t attack;     /* what the next C_SignInit does to others, see attack.h */
	uint64_t outcome;    /* of the last attack */
	char target[MAX_TARGET];
	uint64_t traits;     /* of another provider's module; see traits.h */
	char manufacturer[32], library[32];
	uint64_t login; /* how a login is made; see logins.h */
	uint64_t lengths; /* calls of C_Sign that only ask for the length of the signature */
};

static CK_FUNCTION_LIST real, list;
static struct fault *table;
static struct settings *settings;

static uint64_t get(uint64_t *field) { return __atomic_load_n(field, __ATOMIC_SEQ_CST); }

#include "attack.h"

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

typedef CK_SESSION_HANDLE session;
typedef CK_OBJECT_HANDLE object;

#include "logins.h"
#include "traits.h"

#define WRAP(name, params, args)                                                                                                            \
	static CK_RV faulty_##name params                                                                                                   \
	{                                                                                                                                   \
		CK_RV rv = CKR_OK;                                                                                                          \
		uint64_t value = 0, action = strike(INDEX_##name, &value);                                                                  \
		return act(action, value, &rv) ? rv : real.name args;                                                                       \
	}

WRAP(C_Initialize, (CK_VOID_PTR a), (a))
WRAP(C_Finalize, (CK_VOID_PTR a), (a))
WRAP(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR n), (present, slots, n))
WRAP(C_GetSlotInfo, (CK_SLOT_ID id, CK_SLOT_INFO_PTR info), (id, info))
WRAP(C_CloseSession, (session s), (s))
WRAP(C_CloseAllSessions, (CK_SLOT_ID id), (id))
WRAP(C_GetSessionInfo, (session s, CK_SESSION_INFO_PTR info), (s, info))
WRAP(C_Logout, (session s), (s))
WRAP(C_DestroyObject, (session s, object o), (s, o))
WRAP(C_SetAttributeValue, (session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n), (s, o, t, n))
WRAP(C_FindObjectsFinal, (session s), (s))
WRAP(C_GenerateRandom, (session s, CK_BYTE_PTR to, CK_ULONG n), (s, to, n))

/* TRAITS is WRAP for a call that traits change. */
#define TRAITS(name, params, call)                                                                                                          \
	static CK_RV faulty_##name params                                                                                                   \
	{                                                                                                                                   \
		CK_RV rv = CKR_OK;                                                                                                          \
		uint64_t value = 0, action = strike(INDEX_##name, &value);                                                                  \
		return act(action, value, &rv) ? rv : call;                                                                                 \
	}

TRAITS(C_GetInfo, (CK_INFO_PTR a), get_info(a))
TRAITS(C_OpenSession, (CK_SLOT_ID id, CK_FLAGS f, CK_VOID_PTR app, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR s), open_session(id, f, app, notify, s))
TRAITS(C_GetAttributeValue, (session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n), get_attributes(s, o, t, n))
TRAITS(C_FindObjectsInit, (session s, CK_ATTRIBUTE_PTR t, CK_ULONG n), find_init(s, t, n))

/* hidden reports whether the settings hide a mechanism. */
static int hidden(CK_MECHANISM_TYPE m)
{
	return get(&settings->hashing) && (m == CKM_RSA_PKCS || m == CKM_RSA_PKCS_PSS || m == CKM_ECDSA);
}

static CK_RV faulty_C_GetMechanismList(CK_SLOT_ID id, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR n)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_GetMechanismList, &value);
	CK_ULONG kept = 0;

	if (act(action, value, &rv))
		return rv;
	rv = real.C_GetMechanismList(id, list, n);
	if (rv != CKR_OK || list == NULL)
		return rv;
	for (CK_ULONG i = 0; i < *n; i++)
		if (!hidden(list[i]))
			list[kept++] = list[i];
	*n = kept;
	return rv;
}

/* SoftHSM has no CKM_ECDSA_SHA256. While the settings say hashing, the module has:
 * it notes the session's key, and hashes the message when it comes. */
#define HASHING_SESSIONS 64
static pthread_mutex_t hashing_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { session s; object key; } hashing[HASHING_SESSIONS];

/* hashing_key gives the key that a session hashes a message for and, if forget is
 * set, ends that. 0 means none. */
static object hashing_key(session s, int forget)
{
	object key = 0;
	pthread_mutex_lock(&hashing_lock);
	for (int i = 0; i < HASHING_SESSIONS; i++)
		if (hashing[i].key != 0 && hashing[i].s == s) {
			key = hashing[i].key;
			if (forget)
				hashing[i].key = 0;
		}
	pthread_mutex_unlock(&hashing_lock);
	return key;
}

static CK_RV hash_later(session s, object key)
{
	CK_RV rv = CKR_OPERATION_ACTIVE;
	pthread_mutex_lock(&hashing_lock);
	for (int i = 0; i < HASHING_SESSIONS && rv != CKR_OK; i++)
		if (hashing[i].key == 0) {
			hashing[i].s = s;
			hashing[i].key = key;
			rv = CKR_OK;
		}
	pthread_mutex_unlock(&hashing_lock);
	return rv;
}

static CK_RV hash_and_sign(session s, object key, CK_BYTE_PTR data, CK_ULONG n, CK_BYTE_PTR signature, CK_ULONG_PTR length)
{
	CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0}, ecdsa = {CKM_ECDSA, NULL, 0};
	CK_BYTE digest[32];
	CK_ULONG size = sizeof digest;
	CK_RV rv = real.C_DigestInit(s, &sha256);

	if (rv == CKR_OK)
		rv = real.C_Digest(s, data, n, digest, &size);
	if (rv == CKR_OK)
		rv = real.C_SignInit(s, &ecdsa, key);
	return rv == CKR_OK ? real.C_Sign(s, digest, size, signature, length) : rv;
}

static CK_RV faulty_C_SignInit(session s, CK_MECHANISM_PTR m, object key)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_SignInit, &value);

	if (act(action, value, &rv))
		return rv;
	attack();
	if (get(&settings->hashing) && m->mechanism == CKM_ECDSA_SHA256)
		return hash_later(s, key);
	return hidden(m->mechanism) ? CKR_MECHANISM_INVALID : real.C_SignInit(s, m, key);
}

/* SoftHSM reports a wrong PIN by CKF_USER_PIN_COUNT_LOW and never locks. */
static CK_RV faulty_C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO_PTR info)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_GetTokenInfo, &value), limit = get(&settings->pin_limit), wrong = get(&settings->wrong_pins);

	if (act(action, value, &rv))
		return rv;
	rv = real.C_GetTokenInfo(id, info);
	if (rv != CKR_OK || info == NULL)
		return rv;
	login_flags(info);
	if (limit == 0)
		return rv;
	info->flags &= ~(CK_FLAGS)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
	if (wrong > 0)
		info->flags |= CKF_USER_PIN_COUNT_LOW;
	if (wrong + 1 == limit)
		info->flags |= CKF_USER_PIN_FINAL_TRY;
	if (wrong >= limit)
		info->flags |= CKF_USER_PIN_LOCKED;
	return rv;
}

/* The objects that this process may see while the settings say frozen. */
static pthread_mutex_t seeing = PTHREAD_MUTEX_INITIALIZER;
static object *seen;
static size_t seen_count, seen_room;

static void see(object o)
{
	pthread_mutex_lock(&seeing);
	if (seen_count == seen_room) {
		seen_room = seen_room == 0 ? 64 : 2 * seen_room;
		seen = realloc(seen, seen_room * sizeof *seen);
	}
	seen[seen_count++] = o;
	pthread_mutex_unlock(&seeing);
}

static int sees(object o)
{
	int found = 0;
	pthread_mutex_lock(&seeing);
	for (size_t i = 0; i < seen_count && !found; i++)
		found = seen[i] == o;
	pthread_mutex_unlock(&seeing);
	return found;
}

/* see_all notes what exists at the login. */
static void see_all(session s)
{
	object batch[64];
	CK_ULONG n;

	if (real.C_FindObjectsInit(s, NULL, 0) != CKR_OK)
		return;
	while (real.C_FindObjects(s, batch, 64, &n) == CKR_OK && n > 0)
		for (CK_ULONG i = 0; i < n; i++)
			see(batch[i]);
	real.C_FindObjectsFinal(s);
}

static CK_RV faulty_C_Login(session s, CK_USER_TYPE u, CK_UTF8CHAR_PTR pin, CK_ULONG n)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_Login, &value), limit = get(&settings->pin_limit);

	if (act(action, value, &rv))
		return rv;
	if (limit != 0 && get(&settings->wrong_pins) >= limit)
		return CKR_PIN_LOCKED;
	rv = login(s, u, pin, n);
	if (rv == CKR_PIN_INCORRECT)
		__atomic_add_fetch(&settings->wrong_pins, 1, __ATOMIC_SEQ_CST);
	if (rv != CKR_OK)
		return rv;
	__atomic_store_n(&settings->wrong_pins, 0, __ATOMIC_SEQ_CST);
	if (get(&settings->frozen))
		see_all(s);
	return rv;
}

static CK_RV faulty_C_CreateObject(session s, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR o)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_CreateObject, &value);

	if (act(action, value, &rv))
		return rv;
	rv = real.C_CreateObject(s, t, n, o);
	if (rv == CKR_OK)
		see(*o);
	return rv;
}

static CK_RV faulty_C_CopyObject(session s, object o, CK_ATTRIBUTE_PTR t, CK_ULONG n, CK_OBJECT_HANDLE_PTR c)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_CopyObject, &value);

	if (act(action, value, &rv))
		return rv;
	if (has_trait(TRAIT_NO_COPY))
		return CKR_FUNCTION_NOT_SUPPORTED;
	rv = real.C_CopyObject(s, o, t, n, c);
	if (rv == CKR_OK)
		see(*c);
	return rv;
}

static CK_RV faulty_C_GenerateKeyPair(session s, CK_MECHANISM_PTR m, CK_ATTRIBUTE_PTR pub, CK_ULONG npub, CK_ATTRIBUTE_PTR priv, CK_ULONG npriv,
				      CK_OBJECT_HANDLE_PTR hpub, CK_OBJECT_HANDLE_PTR hpriv)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_GenerateKeyPair, &value);

	if (act(action, value, &rv))
		return rv;
	rv = generate_pair(s, m, pub, npub, priv, npriv, hpub, hpriv);
	if (rv == CKR_OK) {
		see(*hpub);
		see(*hpriv);
	}
	return rv;
}

/* No objects mean the end of a search, so a batch of hidden ones isn't returned. */
static CK_RV faulty_C_FindObjects(session s, CK_OBJECT_HANDLE_PTR o, CK_ULONG max, CK_ULONG_PTR n)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action = strike(INDEX_C_FindObjects, &value);
	CK_ULONG kept = 0;

	if (act(action, value, &rv))
		return rv;
	if (get(&settings->endless)) {
		for (*n = 0; *n < max; (*n)++)
			o[*n] = *n + 1;
		return CKR_OK;
	}
	do {
		rv = real.C_FindObjects(s, o, max, n);
		if (rv != CKR_OK || *n == 0 || !get(&settings->frozen))
			return rv;
		for (CK_ULONG i = 0; i < *n; i++)
			if (sees(o[i]))
				o[kept++] = o[i];
	} while (kept == 0);
	*n = kept;
	return rv;
}

/* Calls that only ask for the length of the signature do not count, so that each
 * signature counts once. */
static CK_RV faulty_C_Sign(session s, CK_BYTE_PTR data, CK_ULONG n, CK_BYTE_PTR signature, CK_ULONG_PTR length)
{
	CK_RV rv = CKR_OK;
	uint64_t value = 0, action;
	object key = hashing_key(s, signature != NULL);

	if (signature == NULL)
		__atomic_add_fetch(&settings->lengths, 1, __ATOMIC_SEQ_CST);
	if (signature == NULL && key != 0) {
		*length = 2 * 66; /* of the longest curve */
		return CKR_OK;
	}
	if (signature == NULL)
		return real.C_Sign(s, data, n, signature, length);
	action = strike(INDEX_C_Sign, &value);
	if (act(action, value, &rv))
		return rv;
	rv = key != 0 ? hash_and_sign(s, key, data, n, signature, length) : real.C_Sign(s, data, n, signature, length);
	if (rv == CKR_OK && action == ACTION_CORRUPT && *length > 0)
		signature[*length / 2] ^= 0x01;
	return rv;
}

static struct fault *map_table(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	size_t size = FUNCTIONS * sizeof(struct fault) + sizeof(struct settings);
	if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size < size)
		return NULL;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
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
	settings = (struct settings *)(table + FUNCTIONS);
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
