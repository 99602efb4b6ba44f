package config

import (
	"strings"
	"testing"
	"time"
)

// TestPKCS11SpyWithoutSandboxWrite: pkcs11-spy is silent where it can't write.
func TestPKCS11SpyWithoutSandboxWrite(t *testing.T) {
	for _, test := range []struct {
		write  []string
		noted  bool
		reason string
	}{
		{nil, true, "nothing is allowed"},
		{[]string{"/var/log/sp"}, true, "another file with the same start"},
		{[]string{"/var/log/spy.log"}, false, "the file"},
		{[]string{"/var/log/"}, false, "its directory"},
	} {
		c := &Config{Sandbox: Sandbox{Enforce: true, Write: test.write}}
		c.HSM.Token = &Token{Label: "t"}
		c.HSM.Environment = map[string]string{"PKCS11SPY_OUTPUT": "/var/log/spy.log"}
		if notes := strings.Join(c.Notes(time.Now()), "\n"); strings.Contains(notes, "sandbox.write") != test.noted {
			t.Errorf("%s: %q", test.reason, notes)
		}
	}
}
