package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Conceal keeps this process's memory out of core files and away from other
// processes of the same user: no core, no ptrace, no /proc/PID/mem.
func Conceal() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("sandbox: disable core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("sandbox: disable access to memory: %w", err)
	}
	return nil
}

// DropCapabilities drops all capabilities of all threads, unless the process
// runs as root: root's modules may need them. It is for workers, which inherit
// the ambient capabilities that let the front see its callers' executables.
func DropCapabilities() error {
	if os.Geteuid() == 0 {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held, none [2]unix.CapUserData // dropping permitted capabilities drops ambient ones
	if err := unix.Capget(&header, &held[0]); err != nil {
		return fmt.Errorf("sandbox: get capabilities: %w", err)
	}
	if held == none {
		return nil // systemd's filter allows no other call then
	}
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		return fmt.Errorf("sandbox: drop capabilities: %w", errno)
	}
	return nil
}
