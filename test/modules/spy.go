package modules

import (
	"path/filepath"
	"testing"
)

// Spy is OpenSC's pkcs11-spy, which logs every call. Its log has the PIN.
func Spy(t testing.TB) *Module {
	t.Helper()
	m := inFront(t, library(t, "pkcs11-spy.so", "opensc-pkcs11"))
	dir := t.TempDir()
	m.Environment["PKCS11SPY"] = m.behind
	m.Environment["PKCS11SPY_OUTPUT"] = filepath.Join(dir, "log")
	m.Write = append(m.Write, dir)
	return m
}
