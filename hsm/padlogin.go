package hsm

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

// The start of a CK_FUNCTION_LIST, up to C_Login.
struct functions {
	unsigned char major, minor;
	void *before[18];
	unsigned long (*login)(unsigned long session, unsigned long user, unsigned char *pin, unsigned long length);
};

static unsigned long pad_login(const char *path, unsigned long session, unsigned long user)
{
	unsigned long rv = 0x5; // CKR_GENERAL_ERROR
	struct functions *f = NULL;
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	unsigned long (*list)(struct functions **) = NULL;

	if (module != NULL)
		list = (unsigned long (*)(struct functions **))dlsym(module, "C_GetFunctionList");
	if (list != NULL && (rv = list(&f)) == 0)
		rv = f->login(session, user, NULL, 0);
	if (module != NULL)
		dlclose(module);
	return rv;
}
*/
import "C"

import (
	"unsafe"

	"github.com/miekg/pkcs11"
)

// padLogin is C_Login with a null PIN: the token asks for it on its own pad
// (PKCS #11 v3.0 section 5.6.8), and the call returns when somebody has entered
// it. miekg/pkcs11 can pass only an empty PIN, which is not the same. The
// module is loaded already, so this only finds it.
func padLogin(path string, session pkcs11.SessionHandle, user uint) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if rv := C.pad_login(name, C.ulong(session), C.ulong(user)); rv != pkcs11.CKR_OK {
		return pkcs11.Error(rv)
	}
	return nil
}
