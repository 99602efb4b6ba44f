package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Conceal keeps what this process has in memory from core files and from other
// processes of its user: no core, no ptrace, no /proc/PID/mem.
func Conceal() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("sandbox: forbid core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: forbid access to the memory: %w", err)
	}
	return nil
}

// DropCapabilities gives up every capability of all threads, unless the process is
// root's: root's modules may need root's reach. It is for workers, which inherit
// the ambient capabilities that let the front see its callers' programs.
func DropCapabilities() error {
	if os.Geteuid() == 0 {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held, none [2]unix.CapUserData // ambient capabilities go with the permitted ones
	if err := unix.Capget(&header, &held[0]); err != nil {
		return fmt.Errorf("sandbox: look at the capabilities: %w", err)
	}
	if held == none {
		return nil // under systemd's filter this call is all that is allowed then
	}
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		return fmt.Errorf("sandbox: drop capabilities: %w", errno)
	}
	return nil
}
