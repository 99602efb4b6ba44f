package sandbox

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/assertd/assertd/internal/config"
)

// Module is what the code of a PKCS#11 module is left with, besides files.
type Module struct {
	User    User           // zero for the daemon's own
	Memory  uint64         // bytes; 0 for no limit
	Enforce bool           // scopes and the filter of system calls
	Network config.Network // "" for what the module needs
}

// ModuleOf returns what c leaves to modules. The error is that of [LookUpUser].
func ModuleOf(c *config.Config) (*Module, error) {
	m := &Module{Memory: uint64(c.Sandbox.WorkerMemory), Enforce: c.Sandbox.Enforce, Network: c.Sandbox.Network}
	if c.Sandbox.User == "" {
		return m, nil
	}
	user, err := LookUpUser(c.Sandbox.User)
	if err != nil {
		return nil, err
	}
	m.User = *user
	return m, nil
}

// Flags are the arguments of a worker's command line.
func (m *Module) Flags() []string {
	flags := []string{"--memory=" + strconv.FormatUint(m.Memory, 10)}
	if m.Enforce {
		flags = append(flags, "--enforce")
	}
	if m.Network != "" {
		flags = append(flags, "--network="+string(m.Network))
	}
	if m.User.UID != 0 {
		flags = append(flags, "--user="+m.User.String())
	}
	return flags
}

// Confine takes the rest from a worker that has read its PIN, before the
// module at path is loaded: the loader already runs code of the module. It
// can't be undone, and children inherit it.
func (m *Module) Confine(path string) error {
	if err := errors.Join(leaveTerminal(), limit(m.Memory), dropBounding(), m.User.become(), DropCapabilities()); err != nil {
		return err
	}
	if err := onAllThreads(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("sandbox: set no_new_privs: %w", err)
	}
	if !m.Enforce {
		return nil
	}
	// Modules connect to daemons by path, which the scopes don't restrict.
	if err := landlock.V8.BestEffort().RestrictScoped(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if !FiltersCalls() {
		return m.unfiltered()
	}
	return filterCalls(Network(m.Network, path))
}

// leaveTerminal takes this process out of the session that started the
// daemon, whose terminal it could type into (TIOCSTI).
func leaveTerminal() error {
	if _, err := unix.Setsid(); err != nil && !errors.Is(err, unix.EPERM) { // it has its own session
		return fmt.Errorf("sandbox: leave the terminal: %w", err)
	}
	return nil
}

// unfiltered refuses a limit that this kernel can't enforce.
func (m *Module) unfiltered() error {
	if m.Network == "" || m.Network == config.NetworkAny {
		return nil
	}
	return errors.New("sandbox.network requires seccomp filters, which this kernel does not have; set it to any")
}

// onAllThreads calls prctl(2) on each thread.
func onAllThreads(option, argument uintptr) error {
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, option, argument, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// Scopes reports whether this kernel keeps workers from signaling processes
// and connecting to abstract sockets outside of their sandbox (Landlock version
// 6, Linux 6.12).
func Scopes() bool { return Supported() >= 6 }
