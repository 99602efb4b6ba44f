package hsm

import (
	"path/filepath"
	"strings"
)

// daemons are the services without which a module has no tokens or doesn't
// start, by the beginning of the module's file name. Modules report a stopped
// one in many ways, none of which names it.
var daemons = []struct{ module, service, check string }{
	{"libopencryptoki", "pkcsslotd", "systemctl status pkcsslotd"},
	{"PKCS11_API", "pkcsslotd", "systemctl status pkcsslotd"},
	{"libtpm2_pkcs11", "tpm2-abrmd, if TPM2_PKCS11_TCTI names it, or access to /dev/tpmrm0", "systemctl status tpm2-abrmd"},
	{"yubihsm_pkcs11", "yubihsm-connector", "systemctl status yubihsm-connector"},
	{"p11-kit-client", "p11-kit server", "the socket that P11_KIT_SERVER_ADDRESS names"},
	{"libpkcs11-proxy", "pkcs11-daemon", "the socket that PKCS11_PROXY_SOCKET names"},
	{"libcknfast", "the hardserver (nc_hardserver)", "/opt/nfast/bin/enquiry"},
	{"opensc-pkcs11", "pcscd", "systemctl status pcscd.socket"},
	{"libCryptoki2", "the connection to the appliance", "vtl verify or lunacm"},
}

// Needs says which service a module needs, and how to check it; empty if it
// isn't known to need one.
func Needs(module string) string {
	for _, d := range daemons {
		if strings.HasPrefix(filepath.Base(module), d.module) {
			return "this module needs " + d.service + "; check " + d.check
		}
	}
	return ""
}

// daemonHint is what Needs says, as the end of an error.
func daemonHint(module string) string {
	if needs := Needs(module); needs != "" {
		return "; " + needs
	}
	return ""
}
