package sandbox

import (
	"path/filepath"

	"github.com/assertd/assertd/internal/config"
)

// offline are the modules that need no network, by the name of their file.
// SoftHSM keeps its tokens in files. Others talk to a daemon, to a server, or
// to a device through either.
var offline = map[string]bool{"libsofthsm2.so": true, "libsofthsm2-static.so": true}

// Network returns the sockets that a module can make: what the configuration
// says, or else what the module is known to need, or else any.
func Network(configured config.Network, module string) config.Network {
	if configured != "" {
		return configured
	}
	if target, err := filepath.EvalSymlinks(module); err == nil {
		module = target
	}
	if offline[filepath.Base(module)] {
		return config.NetworkNone
	}
	return config.NetworkAny
}
