package sandbox

import (
	"errors"
	"fmt"
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

// DropCapabilities drops all capabilities of all threads, also root's. It is
// for workers and helpers, which inherit the ambient capabilities that let the
// front see its callers' executables.
func DropCapabilities() error {
	held, header, err := capabilitiesHeld()
	if err != nil || held == [2]unix.CapUserData{} {
		return err // without any, systemd's filter allows no other call
	}
	var none [2]unix.CapUserData // dropping permitted capabilities drops ambient ones
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		return fmt.Errorf("sandbox: drop capabilities: %w", errno)
	}
	return nil
}

func capabilitiesHeld() (held [2]unix.CapUserData, header *unix.CapUserHeader, err error) {
	header = &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(header, &held[0]); err != nil {
		return held, header, fmt.Errorf("sandbox: get capabilities: %w", err)
	}
	return held, header, nil
}

// rootless are the secure bits, all locked, with which user 0 gets no
// capabilities from the programs that it executes, capabilities(7).
const rootless = 1<<0 | 1<<1 | // SECBIT_NOROOT
	1<<6 | 1<<7 // SECBIT_NO_CAP_AMBIENT_RAISE

// dropBounding makes sure that no program that this process executes has
// capabilities. That takes CAP_SETPCAP: a process without it relies on
// no_new_privs.
func dropBounding() error {
	held, _, err := capabilitiesHeld()
	if err != nil || held[0].Effective&(1<<unix.CAP_SETPCAP) == 0 {
		return err
	}
	if err := onAllThreads(unix.PR_SET_SECUREBITS, rootless); err != nil {
		return fmt.Errorf("sandbox: set secure bits: %w", err)
	}
	for c := uintptr(0); ; c++ {
		err := onAllThreads(unix.PR_CAPBSET_DROP, c)
		if errors.Is(err, unix.EINVAL) { // past the last one
			return nil
		}
		if err != nil {
			return fmt.Errorf("sandbox: drop capability %d: %w", c, err)
		}
	}
}
