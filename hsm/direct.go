package hsm

/*
#cgo LDFLAGS: -ldl
#cgo noescape direct_sign
#cgo nocallback direct_sign
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

typedef unsigned long ulong;

// CK_MECHANISM.
struct mechanism {
	ulong kind;
	const void *parameter;
	ulong length;
};

// The start of a CK_FUNCTION_LIST, up to C_Sign.
struct signing {
	unsigned char major, minor;
	void *to_session_info[15];
	ulong (*session_info)(ulong session, void *info);
	void *to_sign_init[26];
	ulong (*sign_init)(ulong session, struct mechanism *m, ulong key);
	ulong (*sign)(ulong session, const unsigned char *data, ulong n, unsigned char *signature, ulong *length);
};

// direct_open returns the module's functions, if they know the session. The
// module is loaded already and stays so, so its handle isn't needed.
static struct signing *direct_open(const char *path, ulong session)
{
	ulong info[8]; // room for a CK_SESSION_INFO
	struct signing *f = NULL;
	void *module = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
	ulong (*list)(struct signing **) = NULL;

	if (module == NULL)
		return NULL;
	list = (ulong (*)(struct signing **))dlsym(module, "C_GetFunctionList");
	if (list == NULL || list(&f) != 0 || f == NULL || f->session_info(session, info) != 0)
		f = NULL;
	dlclose(module);
	return f;
}

// made is what came of a signature.
struct made {
	ulong rv;
	ulong length; // of the signature, or what the module wants for it
	int began;    // C_SignInit succeeded
};

// direct_sign makes a signature in a buffer of so many bytes.
static struct made direct_sign(struct signing *f, ulong session, ulong key, ulong kind, const void *parameter, ulong parameters,
	const unsigned char *data, ulong n, unsigned char *signature, ulong length)
{
	struct mechanism m = {kind, parameters ? parameter : NULL, parameters};
	struct made made = {f->sign_init(session, &m, key), length, 0};

	if (made.rv == 0) {
		made.began = 1;
		made.rv = f->sign(session, n ? data : (const unsigned char *)"", n, signature, &made.length);
	}
	return made;
}
*/
import "C"

import (
	"bytes"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// direct makes a signature with one call into C, which calls C_SignInit and
// C_Sign once each. miekg/pkcs11 takes two calls into C, and calls C_Sign
// twice, for the signature's length first, which makes SoftHSM take 1.2 times
// as long for a P-256 signature.
type direct struct{ functions *C.struct_signing }

// directRoom is the size of the buffer, in bytes, for a signature that isn't
// longer. Only ML-DSA's is, so a module that wants more room than the signature
// needs usually has it.
const directRoom = 1024

// newDirect is nil if the module's functions can't be had beside miekg/pkcs11.
// p11-kit's modules keep a state for each list of functions, and what is open
// in one isn't in another.
func newDirect(path string, keeper session) *direct {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	functions := C.direct_open(name, C.ulong(keeper.handle))
	if functions == nil {
		return nil
	}
	return &direct{functions}
}

// sign makes one signature of a form on a session.
func (d *direct) sign(s session, key pkcs11.ObjectHandle, form form) ([]byte, error) {
	var room [directRoom]byte
	signature := room[:]
	if form.size > len(signature) {
		signature = make([]byte, form.size)
	}
	m := form.mechanism
	made := C.direct_sign(d.functions, C.ulong(s.handle), C.ulong(key), C.ulong(m.Mechanism),
		unsafe.Pointer(unsafe.SliceData(m.Parameter)), C.ulong(len(m.Parameter)),
		(*C.uchar)(unsafe.SliceData(form.input)), C.ulong(len(form.input)),
		(*C.uchar)(unsafe.SliceData(signature)), C.ulong(len(signature)))
	switch {
	case made.began == 0:
		return nil, &Error{Op: "C_SignInit", Code: uint(made.rv)}
	case made.rv == pkcs11.CKR_BUFFER_TOO_SMALL: // the operation goes on (PKCS #11 v3.0 section 5.2)
		return s.sign(form.input)
	case made.rv != pkcs11.CKR_OK:
		return nil, &Error{Op: "C_Sign", Code: uint(made.rv)}
	case made.length > C.ulong(len(signature)):
		return nil, fail(ErrSignature, nil, "the token returned a signature of %d bytes in a buffer of %d", made.length, len(signature))
	}
	return bytes.Clone(signature[:made.length]), nil
}
