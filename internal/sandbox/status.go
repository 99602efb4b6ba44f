package sandbox

import (
	"os"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/ipc"
)

// Status is what a daemon with the configuration confines on this machine, if
// this user starts it.
func Status(c *config.Config) ipc.SandboxStatus {
	s := ipc.SandboxStatus{
		Files: ipc.SandboxNothing, Landlock: Supported(), Network: map[string]string{},
		WorkerMemory: int64(c.Sandbox.WorkerMemory), User: c.Sandbox.User,
	}
	if c.Sandbox.Enforce {
		s.Signals, s.SystemCalls = Scopes(), FiltersCalls()
		s.Files = confinedFiles(c, s.Landlock)
	}
	for _, token := range c.HSM.All() {
		s.Network[token.Name] = string(config.NetworkAny)
		if s.SystemCalls {
			s.Network[token.Name] = string(Network(c.Sandbox.Network, token.Module))
		}
	}
	s.Warnings = warnings(c, s)
	return s
}

func confinedFiles(c *config.Config, landlock int) string {
	switch {
	case landlock == 0:
		return ipc.SandboxNothing
	case MatchesExecutables(c):
		return ipc.SandboxWorkers
	}
	return ipc.SandboxFront
}

func warnings(c *config.Config, s ipc.SandboxStatus) (all []string) {
	switch {
	case !c.Sandbox.Enforce:
		all = append(all, "disabled by the configuration")
	case s.Landlock == 0:
		all = append(all, "this kernel has no Landlock; only file permissions confine the daemon")
	}
	if c.Sandbox.Enforce && !s.SystemCalls {
		all = append(all, "this kernel filters no system calls; a PKCS#11 module can make any")
	}
	if os.Geteuid() == 0 && s.User == "" {
		all = append(all, "the PKCS#11 module runs as root, because the daemon does; set sandbox.user")
	}
	return all
}
