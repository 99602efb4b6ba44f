package modules

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAStoppedServiceIsNamed asks modules whose service isn't there. Each fails
// in its own way, and none of them says what is missing.
func TestAStoppedServiceIsNamed(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "socket")
	for name, test := range map[string]struct{ module, environment, service string }{
		"tpm2-pkcs11":    {library(t, "libtpm2_pkcs11.so", "libtpm2-pkcs11-1"), "TPM2_PKCS11_TCTI=swtpm:path=" + nowhere, "tpm2-abrmd"},
		"p11-kit client": {library(t, "p11-kit-client.so", "p11-kit-modules"), "P11_KIT_SERVER_ADDRESS=unix:path=" + nowhere, "p11-kit server"},
	} {
		t.Run(name, func(t *testing.T) {
			command := exec.CommandContext(t.Context(), filepath.Join(os.Getenv(binariesVariable), "assertd"), "hsm", "probe", "--module", test.module)
			command.Env = append(os.Environ(), test.environment)
			if out, _ := command.CombinedOutput(); !strings.Contains(string(out), "this module needs") || !strings.Contains(string(out), test.service) {
				t.Errorf("%s", out)
			}
		})
	}
}
