package descent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// errExited means that a process is gone, and its parent with it.
var errExited = errors.New("the process has exited")

// parentOf returns the PID of the parent of a process in this PID namespace, 0
// for one outside it. Linux 6.13 and later report it even where /proc hides
// other processes; on older kernels, it comes from /proc.
func parentOf(pidfd, pid int) (int, error) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_PID}
	err := unix.IoctlPidfdInfo(pidfd, &info)
	switch {
	case err == nil:
		return int(info.Ppid), nil
	case errors.Is(err, unix.ESRCH):
		return 0, errExited
	}
	return parentFromProc(pidfd, pid)
}

func parentFromProc(pidfd, pid int) (int, error) {
	p, err := readProcess(pid)
	if err != nil {
		return 0, fmt.Errorf("%w; if /proc is mounted with hidepid, mount it without", err)
	}
	if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); errors.Is(err, unix.ESRCH) {
		return 0, errExited // what was read may be another process's
	}
	return p.parent, nil
}

// process is what /proc/PID/stat says about a process.
type process struct {
	pid, parent int
	state       byte
	started     string // in clock ticks since boot
}

func readProcess(pid int) (process, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	return parseStat(pid, stat)
}

// Positions in proc_pid_stat(5), counted from the field after the name.
const (
	statState   = 0
	statParent  = 1
	statStarted = 19
)

// parseStat parses /proc/PID/stat. The name of the program is in parentheses,
// and may contain anything.
func parseStat(pid int, stat []byte) (process, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= statStarted {
		return process{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(string(fields[statParent]))
	return process{pid: pid, parent: parent, state: fields[statState][0], started: string(fields[statStarted])}, err
}
