package faultydisk

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confined names the program that a child runs once it has its filter.
const confined = "ASSERTD_TEST_FAULTY_DISK"

// Confine turns the test binary into the command that [Disk.Start] starts. It
// returns if the process is not such a child. Call it first in TestMain.
func Confine() {
	program := os.Getenv(confined)
	if program == "" {
		return
	}
	if err := confine(program); err != nil {
		fmt.Fprintln(os.Stderr, "faultydisk:", err)
		os.Exit(1)
	}
}

func confine(program string) error {
	runtime.LockOSThread() // the filter is the thread's, and stays with it through exec
	environment := make([]string, 0, len(os.Environ()))
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, confined+"=") {
			environment = append(environment, e)
		}
	}
	filter, err := install()
	if err != nil {
		return err
	}
	const inherited = 3
	if err := unix.Sendmsg(inherited, []byte{0}, unix.UnixRights(filter), nil, 0); err != nil {
		return err
	}
	unix.CloseOnExec(inherited)
	unix.CloseOnExec(filter)
	return unix.Exec(program, os.Args, environment)
}

// install makes fdatasync wait for an answer from the listener that it returns.
func install() (int, error) {
	const (
		load        = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal       = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		result      = unix.BPF_RET | unix.BPF_K
		allow       = 0x7fff0000 // SECCOMP_RET_ALLOW
		ask         = 0x7fc00000 // SECCOMP_RET_USER_NOTIF
		setFilter   = 1          // SECCOMP_SET_MODE_FILTER
		newListener = 8          // SECCOMP_FILTER_FLAG_NEW_LISTENER
	)
	program := []unix.SockFilter{
		{Code: load, K: 0}, // the number of the system call
		{Code: equal, K: unix.SYS_FDATASYNC, Jf: 1},
		{Code: result, K: ask},
		{Code: result, K: allow},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, setFilter, newListener, uintptr(unsafe.Pointer(&f)))
	if errno != 0 {
		return -1, fmt.Errorf("seccomp: %w", errno)
	}
	return int(listener), nil
}
