package main

/*
#cgo LDFLAGS: -ldl
#cgo noescape raw_sign
#cgo nocallback raw_sign
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

typedef unsigned long ulong;
typedef unsigned char uchar;

struct mechanism { ulong kind; void *parameter; ulong length; };
struct attribute { ulong kind; void *value; ulong length; };
struct arguments { void *mutexes[4]; ulong flags; void *reserved; };

// The start of a CK_FUNCTION_LIST, up to C_Sign.
struct functions {
	uchar major, minor;
	ulong (*initialize)(struct arguments *);
	void *to_slot_list[3];
	ulong (*slot_list)(uchar present, ulong *slots, ulong *n);
	void *to_open_session[7];
	ulong (*open_session)(ulong slot, ulong flags, void *application, void *notify, ulong *session);
	void *to_login[5];
	ulong (*login)(ulong session, ulong user, const uchar *pin, ulong n);
	void *to_copy[2];
	ulong (*copy)(ulong session, ulong object, struct attribute *template, ulong n, ulong *copy);
	void *to_find_init[4];
	ulong (*find_init)(ulong session, struct attribute *template, ulong n);
	ulong (*find)(ulong session, ulong *objects, ulong most, ulong *n);
	ulong (*find_final)(ulong session);
	void *to_sign_init[13];
	ulong (*sign_init)(ulong session, struct mechanism *m, ulong key);
	ulong (*sign)(ulong session, const uchar *data, ulong n, uchar *signature, ulong *length);
};

enum { FAILED = 0x5, OS_LOCKING = 0x2, SESSION = 0x6, USER = 1, CLASS = 0x0, PRIVATE_KEY = 0x3, TOKEN = 0x1, LABEL = 0x3 };

// raw_open loads and initializes the module, and finds its first token.
static ulong raw_open(const char *path, struct functions **f, ulong *slot)
{
	struct arguments arguments = {.flags = OS_LOCKING};
	ulong slots[64], n = sizeof slots / sizeof *slots, rv;
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ulong (*list)(struct functions **) = NULL;

	if (module != NULL)
		list = (ulong (*)(struct functions **))dlsym(module, "C_GetFunctionList");
	if (list == NULL)
		return FAILED;
	if ((rv = list(f)) != 0 || (rv = (*f)->initialize(&arguments)) != 0)
		return rv;
	if ((rv = (*f)->slot_list(1, slots, &n)) != 0 || n == 0)
		return rv != 0 ? rv : FAILED;
	*slot = slots[0];
	return 0;
}

static ulong raw_session(struct functions *f, ulong slot, ulong *session) { return f->open_session(slot, SESSION, NULL, NULL, session); }

static ulong raw_login(struct functions *f, ulong session, const uchar *pin, ulong n) { return f->login(session, USER, pin, n); }

// raw_find finds the private key with the label, which must be the only one.
static ulong raw_find(struct functions *f, ulong session, char *label, ulong n, ulong *key)
{
	ulong class = PRIVATE_KEY, found[2], count = 0;
	struct attribute template[] = {{CLASS, &class, sizeof class}, {LABEL, label, n}};
	ulong rv = f->find_init(session, template, 2);

	if (rv == 0)
		rv = f->find(session, found, 2, &count);
	if (rv == 0)
		rv = f->find_final(session);
	*key = found[0];
	return rv != 0 || count == 1 ? rv : FAILED;
}

static ulong raw_copy(struct functions *f, ulong session, ulong key, ulong *copy)
{
	uchar no = 0;
	struct attribute template = {TOKEN, &no, sizeof no};
	return f->copy(session, key, &template, 1, copy);
}

static ulong raw_sign(struct functions *f, ulong session, ulong key, ulong kind, const uchar *data, ulong n, uchar *signature, ulong length)
{
	struct mechanism m = {kind, NULL, 0};
	ulong rv = f->sign_init(session, &m, key);
	return rv != 0 ? rv : f->sign(session, data, n, signature, &length);
}
*/
import "C"

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// rawModule is the baseline: C_SignInit and one C_Sign, called in C with a
// buffer that is large enough, on one session. Nothing in Go or by way of
// PKCS#11 is faster.
func rawModule(e env) (prepare, error) {
	module, err := openRaw(e.Module)
	if err != nil {
		return nil, err
	}
	session, err := module.logIn(e.PINFile)
	if err != nil {
		return nil, err
	}
	return func(t task) (operation, error) {
		key, err := module.find(session, e.labelOf(t.Alg))
		if err == nil && t.Do == "copy" {
			key, err = module.copyOf(session, key)
		}
		sign := module.signer(t.Alg)
		return func() (int, error) { return 1, sign(session, key) }, err
	}, nil
}

// raw is a PKCS#11 module without the libraries for Go.
type raw struct {
	functions *C.struct_functions
	slot      C.ulong
}

func openRaw(path string) (*raw, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	m := new(raw)
	return m, result("open "+path, C.raw_open(name, &m.functions, &m.slot))
}

func (m *raw) session() (session C.ulong, err error) {
	return session, result("C_OpenSession", C.raw_session(m.functions, m.slot, &session))
}

// logIn logs the process in and returns the session with which it did.
func (m *raw) logIn(pinFile string) (C.ulong, error) {
	pin, err := os.ReadFile(pinFile)
	if err != nil {
		return 0, err
	}
	session, err := m.session()
	if err != nil {
		return 0, err
	}
	return session, result("C_Login", C.raw_login(m.functions, session, (*C.uchar)(unsafe.SliceData(pin)), C.ulong(len(pin))))
}

func (m *raw) find(session C.ulong, label string) (key C.ulong, err error) {
	name := C.CString(label)
	defer C.free(unsafe.Pointer(name))
	return key, result("find "+label, C.raw_find(m.functions, session, name, C.ulong(len(label)), &key))
}

func (m *raw) copyOf(session, key C.ulong) (made C.ulong, err error) {
	return made, result("C_CopyObject", C.raw_copy(m.functions, session, key, &made))
}

// rawSignature is longer than any signature of the benchmark, in bytes.
const rawSignature = 512

// signer returns a function that makes one signature of the algorithm.
func (m *raw) signer(alg string) func(session, key C.ulong) error {
	mechanism, input := mechanismOf(alg)
	return func(session, key C.ulong) error {
		var signature [rawSignature]byte
		return result("sign", C.raw_sign(m.functions, session, key, C.ulong(mechanism),
			(*C.uchar)(unsafe.SliceData(input)), C.ulong(len(input)), (*C.uchar)(&signature[0]), rawSignature))
	}
}

// result makes an error of what the module returned.
func result(op string, rv C.ulong) error {
	if rv == pkcs11.CKR_OK {
		return nil
	}
	return fmt.Errorf("%s: %w", op, pkcs11.Error(rv))
}

// mechanismEdDSA is CKM_EDDSA (PKCS#11 3.0), which miekg/pkcs11 doesn't define.
const mechanismEdDSA = 0x1057

// digestInfo is the DER of SHA-256's DigestInfo before the hash (RFC 8017,
// section 9.2).
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// mechanismOf returns the algorithm's PKCS#11 mechanism and an input for it.
func mechanismOf(alg string) (mechanism uint, input []byte) {
	digest := sha256.Sum256(message)
	switch alg {
	case "RS256":
		return pkcs11.CKM_RSA_PKCS, slices.Concat(digestInfo, digest[:])
	case "EdDSA":
		return mechanismEdDSA, message
	}
	return pkcs11.CKM_ECDSA, digest[:]
}
