package modules

import (
	"maps"
	"path/filepath"
	"testing"
)

// P11KitClient is p11-kit's client module. Its server runs the SoftHSM token in
// a process of its own for each connection.
func P11KitClient(t testing.TB) *Module {
	t.Helper()
	m := inFront(t, library(t, "p11-kit-client.so", "p11-kit-modules"))
	socket := filepath.Join(shortDir(t), "p11")
	m.add(t, &daemon{socket: socket, command: []string{
		"p11-kit", "server", "--foreground", "--name", socket, "--provider", m.behind, "pkcs11:token=" + m.Label,
	}})
	m.Environment = map[string]string{"P11_KIT_SERVER_ADDRESS": "unix:path=" + socket}
	return m
}

// P11KitProxy is p11-kit's proxy module, which shows the tokens of all modules
// on the machine. Debian's softhsm2 is one of them.
func P11KitProxy(t testing.TB) *Module {
	t.Helper()
	m := inFront(t, library(t, "p11-kit-proxy.so", "p11-kit-modules"))
	dir := t.TempDir()
	m.Write = append(m.Write, dir)
	// The TPM's module, if installed, makes a file and many log lines although
	// there is no TPM.
	maps.Copy(m.Environment, map[string]string{"TPM2_PKCS11_STORE": dir, "TPM2_PKCS11_LOG_LEVEL": "0", "TSS2_LOG": "all+NONE"})
	return m
}
