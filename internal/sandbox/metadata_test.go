package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ownFiles changes files of this process's user, as a module could change the
// operator socket, and does what modules do with their own files.
func ownFiles() error {
	dir, err := os.MkdirTemp("", "own")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		return err
	}
	defer file.Close()
	path, fd := file.Name(), int(file.Fd())
	own := errors.Join(unix.Fchmod(fd, 0o660), unix.Fchown(fd, -1, os.Getegid()), unix.Mkdir(path+".d", 0o770), closing(create(path+".new", 0o660)))
	link := fmt.Sprintf("/proc/self/fd/%d", fd)
	return errors.Join(own, refused(map[string]error{
		"chmod":                        unix.Chmod(path, 0o666),
		"chmod of a descriptor":        unix.Chmod(link, 0o666),
		"fchmodat2":                    unix.Fchmodat(unix.AT_FDCWD, path, 0o666, unix.AT_SYMLINK_NOFOLLOW),
		"chown":                        unix.Chown(path, -1, os.Getegid()),
		"lchown":                       unix.Lchown(path, -1, os.Getegid()),
		"setxattr":                     unix.Setxattr(path, "user.a", nil, 0),
		"fchmod for everyone":          unix.Fchmod(fd, 0o606),
		"fchmod of a program":          unix.Fchmod(fd, 0o4755),
		"mkdir":                        unix.Mkdir(path+".s", 0o2755),
		"mknod":                        unix.Mknod(path+".n", unix.S_IFREG|0o4755, 0),
		"a new program":                closing(create(path+".p", 0o4755)),
		"a new program without a name": closing(unix.Openat(unix.AT_FDCWD, dir, unix.O_TMPFILE|unix.O_WRONLY, 0o4755)),
		"openat2":                      closing(unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{})),
		"a newer call":                 newerCall(),
	}))
}

func create(path string, mode uint32) (int, error) {
	return unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, mode)
}

func closing(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// newerCall makes one that no kernel has yet.
func newerCall() error {
	if _, _, errno := unix.Syscall(1<<20, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// parentsLimits changes what the process that started this one can use.
func parentsLimits() error {
	var now unix.Rlimit
	parent, limit := os.Getppid(), unix.Rlimit{}
	own := errors.Join(unix.Prlimit(0, unix.RLIMIT_CORE, nil, &now), unix.Setpriority(unix.PRIO_PROCESS, 0, 0))
	attributes := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
	_, _, ioprio := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioProcess, uintptr(parent), 3<<13)
	_, _, policy := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(parent), unix.SCHED_IDLE, uintptr(unsafe.Pointer(&[1]int32{})))
	return errors.Join(own, refused(map[string]error{
		"prlimit":            unix.Prlimit(parent, unix.RLIMIT_CORE, &limit, nil),
		"setpriority":        unix.Setpriority(unix.PRIO_PROCESS, parent, 19),
		"setpriority (user)": unix.Setpriority(unix.PRIO_USER, 0, 19),
		"sched_setattr":      unix.SchedSetAttr(parent, &attributes, 0),
		"sched_setscheduler": errnoOf(policy), "ioprio_set": errnoOf(ioprio),
	}))
}

func errnoOf(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// refused returns a problem for each call that the filter let pass.
func refused(calls map[string]error) (problems error) {
	for name, err := range calls {
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
			problems = errors.Join(problems, fmt.Errorf("%s: %v, want it refused", name, err))
		}
	}
	return problems
}
