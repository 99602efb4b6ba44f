package sandbox

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// moduleState is where modules keep their state unless told otherwise, and the
// devices that they talk to.
func moduleState() []string {
	return []string{
		"/dev",
		"/var/lib/softhsm", "/var/lib/opencryptoki", "/run/lock/opencryptoki", "/var/lib/tpm2_pkcs11", "/etc/tpm2_pkcs11",
	}
}

// environment adds what a variable of the module's environment leads to: the
// directory of a file that it names, and where the module is known to write what
// it writes.
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
	r.Read = named(r.Read, value)
	return r
}

// softhsmTokens reads where SoftHSM keeps its tokens, softhsm2.conf(5).
func softhsmTokens(conf string) []string {
	file, err := os.Open(conf)
	if err != nil {
		return nil // the module will say so too
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
