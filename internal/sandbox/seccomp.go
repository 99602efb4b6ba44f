package sandbox

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/assertd/assertd/internal/config"
)

// never are system calls that no module needs: those that reach into other
// processes, change the machine or its namespaces, or do what no filter sees
// (io_uring). Which calls a module does need isn't known, so the others are
// allowed.
var never = []string{
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "perf_event_open",
	"bpf", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"unshare", "setns", "chroot", "pivot_root", "mount", "umount", "umount2", "mount_setattr", "move_mount",
	"open_tree", "fsopen", "fsconfig", "fsmount", "fspick", "open_by_handle_at", "quotactl", "quotactl_fd",
	"add_key", "request_key", "keyctl", "fanotify_init", "syslog", "acct", "swapon", "swapoff",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
	"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
	"iopl", "ioperm", "vhangup", "nfsservctl", "lookup_dcookie",
}

// namespaces are the flags of clone(2) that make a process a new namespace.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// denied are the groups of system calls that fail whatever their arguments, for
// a module that can make these sockets.
func denied(network config.Network) []seccomp.SyscallGroup {
	refuse := func(errno unix.Errno, names ...string) seccomp.SyscallGroup {
		return seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(errno), Names: known(names)}
	}
	groups := []seccomp.SyscallGroup{
		refuse(unix.EPERM, slices.Concat(never, metadata)...),
		// Their flags and modes are in memory; libraries then call clone and openat.
		refuse(unix.ENOSYS, "clone3", "openat2"),
	}
	switch network {
	case config.NetworkNone:
		groups = append(groups, refuse(unix.EAFNOSUPPORT, "socket", "socketpair", "socketcall"))
	case config.NetworkUnix:
		groups = append(groups, refuse(unix.EAFNOSUPPORT, "socketcall"))
	}
	return groups
}

// refusals are the calls that fail with some arguments only.
func refusals(network config.Network) []refusal {
	all := append(programs(), others()...)
	all = append(all, when("clone", bits(cloneFlags(), namespaces)))
	if network == config.NetworkUnix {
		all = append(all, refusal{unix.EAFNOSUPPORT, "socket", []condition{not(0, unix.AF_UNIX)}})
	}
	return all
}

// known are the system calls of this architecture.
func known(names []string) []string {
	machine, err := arch.GetInfo("")
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		_, ok := machine.SyscallNames[name]
		return !ok
	})
}

// FiltersCalls reports whether this kernel can filter system calls on this
// architecture.
func FiltersCalls() bool {
	machine, err := arch.GetInfo("")
	return err == nil && machine != nil &&
		unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0) == unix.EFAULT // it wants a filter
}

// filterCalls makes the denied system calls fail on all threads. It uses
// prctl(2), which the filters of systemd and of container runtimes allow,
// unlike seccomp(2).
func filterCalls(network config.Network) error {
	program, err := assemble(network)
	if err != nil {
		return fmt.Errorf("sandbox: system calls: %w", err)
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := psx.Syscall6(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0, 0)
	runtime.KeepAlive(program)
	if errno != 0 {
		return fmt.Errorf("sandbox: filter system calls: %w", errno)
	}
	return nil
}

// assemble returns the filter. The library's own lets every call of another
// architecture pass, such as those of 32-bit programs, and those that it
// doesn't know yet, so checks come first.
func assemble(network config.Network) ([]unix.SockFilter, error) {
	machine, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: denied(network)}
	calls, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: architectureOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(machine.ID), SkipTrue: 1},
		failWith(unix.EPERM),
		bpf.LoadAbsolute{Off: numberOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newest(machine), SkipTrue: 1},
		failWith(unix.ENOSYS), // as on an older kernel
	}
	for _, r := range refusals(network) {
		program = append(program, r.assemble(machine)...)
	}
	raw, err := bpf.Assemble(append(program, calls...))
	if err != nil {
		return nil, err
	}
	filter := make([]unix.SockFilter, 0, len(raw))
	for _, i := range raw {
		filter = append(filter, unix.SockFilter{Code: i.Op, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	return filter, nil
}

// newest is the number of the newest system call that the library knows.
func newest(machine *arch.Info) uint32 {
	var last int
	for _, number := range machine.SyscallNames {
		last = max(last, number)
	}
	return uint32(last)
}
