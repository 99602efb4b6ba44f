package sandbox

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/assertd/assertd/internal/trustpath"
)

// moduleState returns the default paths of modules' state, and the devices that
// modules use.
func moduleState() []string {
	return []string{
		"/dev",
		"/var/lib/softhsm", "/var/lib/opencryptoki", "/run/lock/opencryptoki", "/var/lib/tpm2_pkcs11", "/etc/tpm2_pkcs11",
	}
}

// environment adds the paths that a variable in the module's environment
// implies: the directory of a file that it names, and where a known module
// writes.
func (r Rules) environment(name, value string) Rules {
	if !filepath.IsAbs(value) {
		return r
	}
	switch name {
	case "SOFTHSM2_CONF":
		r.Write = append(r.Write, softhsmTokens(value)...)
	case "TPM2_PKCS11_STORE":
		r.Write = append(r.Write, value)
	}
	if info, err := os.Stat(value); err == nil && info.IsDir() {
		r.Read = append(r.Read, value)
		return r
	}
	r.Read = addDirectories(r.Read, value)
	return r
}

// softhsmTokens reads the path of SoftHSM's tokens, softhsm2.conf(5).
func softhsmTokens(conf string) []string {
	file, err := trustpath.Regular(conf)
	if err != nil {
		return nil // the module will report it
	}
	defer file.Close()
	var tokens []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, found := strings.Cut(lines.Text(), "=")
		if found && strings.TrimSpace(name) == "directories.tokendir" {
			tokens = append(tokens, strings.TrimSpace(value))
		}
	}
	return tokens
}
