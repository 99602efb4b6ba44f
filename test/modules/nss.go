package modules

import (
	"os"
	"path/filepath"
	"testing"
)

// NSS is softokn, the module of Mozilla's NSS, with a new database.
func NSS(t testing.TB) *Module {
	t.Helper()
	dir := t.TempDir()
	m := &Module{
		Path: library(t, "libsoftokn3.so", "libnss3"), Label: "NSS Certificate DB", PIN: "12345678",
		Environment: map[string]string{"NSS_LIB_PARAMS": "configdir=sql:" + dir},
		Write:       []string{dir}, Network: "none", Imported: true,
	}
	pin := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(pin, []byte(m.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.run(t, "certutil", "-N", "-d", "sql:"+dir, "-f", pin)
	return m
}
