package sandbox

import "golang.org/x/sys/unix"

// metadata are the system calls that change the mode, owner or ACL of a file by
// its path. Landlock does not restrict them, and a module has the user that
// owns the operator socket. Modules change their own files by descriptor.
var metadata = []string{
	"chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "setxattr", "lsetxattr", "removexattr", "lremovexattr",
	"setxattrat", "removexattrat",
}

const (
	setID         = unix.S_ISUID | unix.S_ISGID
	unnamedFile   = unix.O_TMPFILE &^ unix.O_DIRECTORY
	ioprioProcess = 1 // IOPRIO_WHO_PROCESS, ioprio_set(2)
)

// programs are the calls with which a module could leave a program for another
// user that runs as the daemon's, or open a file of its user to everyone.
func programs() []refusal {
	refusals := []refusal{
		when("fchmod", bits(1, setID|unix.S_IWOTH)),
		when("creat", bits(1, setID)),
		when("mknod", bits(1, setID)), when("mknodat", bits(2, setID)),
		when("mkdir", bits(1, setID)), when("mkdirat", bits(2, setID)),
	}
	for _, creating := range []uint32{unix.O_CREAT, unnamedFile} { // otherwise the mode counts for nothing
		refusals = append(refusals, when("open", bits(1, creating), bits(2, setID)), when("openat", bits(2, creating), bits(3, setID)))
	}
	return refusals
}

// others are the calls that change the limits or the priority of another
// process of the same user. A limit on CPU time would kill the front.
func others() []refusal {
	return []refusal{
		when("prlimit64", not(0, 0)),
		when("sched_setscheduler", not(0, 0)), when("sched_setparam", not(0, 0)), when("sched_setattr", not(0, 0)),
		when("setpriority", not(0, unix.PRIO_PROCESS)), when("setpriority", not(1, 0)),
		when("ioprio_set", not(0, ioprioProcess)), when("ioprio_set", not(1, 0)),
	}
}
