package hsm

import (
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/ThalesGroup/crypto11"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/miekg/pkcs11"
)

// module is a reference to an initialized PKCS#11 module.
type module struct {
	*pkcs11.Ctx
	crypto11 *crypto11.Context // nil if crypto11 can't open the token
	finalize func()
}

// release drops the reference. The module is finalized with the last one in the
// process; a call into it after that crashes the process, so all of the
// caller's calls must have returned.
func (m *module) release() {
	m.finalize()
	m.Destroy()
}

// openModule loads the module and initializes it.
//
// crypto11 does this if it can: it counts the users of a module, so that one
// process can open several tokens of one module and the last to close finalizes
// it. It refuses a module that somebody else initialized, so it goes first; our
// own handle on the same library shares everything with it. It doesn't log in,
// since it would take the first token with the label, and accept any PIN if the
// process is already logged in.
//
// crypto11 fails at the first slot that doesn't answer and at labels padded
// with NULs. And in p11-kit's modules every handle has a state of its own, so
// what crypto11 initialized isn't what this package would call. In all of these
// cases the module is initialized without crypto11, and selectToken finds the
// token or says what is wrong.
func openModule(cfg Config) (*module, error) {
	ctx, err := loadModule(cfg.Module, cfg.Trust)
	if err != nil {
		return nil, err
	}
	c := crypto11.Config{Path: cfg.Module, MaxSessions: 2, PoolWaitTimeout: time.Minute, LoginNotSupported: true}
	if c.TokenSerial = cfg.Serial; cfg.Serial == "" {
		c.TokenLabel = cfg.Label
	}
	context, err := crypto11.Configure(&c)
	if err != nil {
		return initialize(ctx, cfg.Module)
	}
	if !initialized(ctx) {
		_ = context.Close()
		return initialize(ctx, cfg.Module)
	}
	return &module{ctx, context, func() { _ = context.Close() }}, nil
}

// initialized reports whether a handle shares the state that crypto11
// initialized through its own.
func initialized(ctx *pkcs11.Ctx) bool {
	_, err := ctx.GetInfo()
	return !hasCode(callError("C_GetInfo", err), pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)
}

// initialize is openModule without crypto11.
func initialize(ctx *pkcs11.Ctx, path string) (*module, error) {
	err := callError("C_Initialize", ctx.Initialize(initArguments(path)...))
	if hasCode(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return &module{ctx, nil, func() {}}, nil
	}
	if err != nil {
		ctx.Destroy()
		return nil, fail(ErrModule, err, "the module doesn't start; check that its configuration exists and that this user "+
			"can read it%s", daemonHint(path))
	}
	return &module{ctx, nil, func() { _ = ctx.Finalize() }}, nil
}

// initArguments are what a module takes in C_Initialize beyond the standard.
// NSS's softokn before 3.132 starts only with the parameters of its database,
// which newer ones read from this variable themselves. They are where the
// standard has pReserved (LibraryParameters in NSS's lib/softoken/pkcs11.c).
func initArguments(path string) []pkcs11.InitializeOption {
	parameters := os.Getenv("NSS_LIB_PARAMS")
	if !strings.HasPrefix(filepath.Base(path), "libsoftokn3") || parameters == "" {
		return nil
	}
	text := append([]byte(parameters), 0)
	return []pkcs11.InitializeOption{pkcs11.InitializeWithReserved(unsafe.Pointer(unsafe.SliceData(text)))}
}

func loadModule(path string, rules trustpath.Rules) (*pkcs11.Ctx, error) {
	if err := checkModule(path, rules); err != nil {
		return nil, err
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fail(ErrModule, nil, "%s can't be loaded as a PKCS#11 module; run ldd on it to see whether a library "+
			"that it needs is missing", path)
	}
	return ctx, nil
}

// checkModule refuses a file that must not, or can't, be loaded. A loaded
// module can do anything in the process, and sees the PIN.
func checkModule(path string, rules trustpath.Rules) error {
	if !filepath.IsAbs(path) {
		return fail(ErrModule, nil, "module %q is a relative path; give the absolute path of the PKCS#11 module", path)
	}
	_, err := rules.Check(path, trustpath.File)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fail(ErrModule, nil, "no PKCS#11 module at %s; install it, or correct the path", path)
	case errors.Is(err, trustpath.ErrNotRegular):
		return fail(ErrModule, nil, "%s isn't a regular file; give the module itself, "+
			"such as /usr/lib/softhsm/libsofthsm2.so", path)
	case err != nil:
		return fail(ErrModule, err, "the PKCS#11 module can't be used")
	}
	return checkLibrary(path)
}

// checkLibrary reports what dlopen doesn't: that the file isn't a library, or
// isn't a PKCS#11 module.
func checkLibrary(path string) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	library, err := elf.Open(path)
	if err != nil {
		return fail(ErrModule, err, "%s isn't a shared library", path)
	}
	defer library.Close()
	symbols, err := library.DynamicSymbols()
	if err != nil {
		return fail(ErrModule, err, "%s isn't a shared library", path)
	}
	for _, symbol := range symbols {
		if symbol.Name == "C_GetFunctionList" && symbol.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return fail(ErrModule, nil, "%s is a shared library but not a PKCS#11 module: it has no C_GetFunctionList", path)
}
