package chaos

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// diskSize holds the audit log of half an hour. A full tmpfs takes as much
// memory.
const diskSize = 512 << 20

// disk is a small file system that holds the audit log, the budgets and the
// JWKS. Making one takes root, or sudo without a password.
type disk struct {
	t      testing.TB
	dir    string
	kind   string   // ext4, tmpfs, or empty for a plain directory
	prefix []string // what makes a command run as root
	noRoot bool     // no command can run as root
	reason string   // why the disk can't be frozen, or not even filled
}

// newDisk mounts a disk until the test ends: ext4 on a loop device, tmpfs where
// there are no loop devices, as in most containers, or only a directory.
func newDisk(t testing.TB, dir string) *disk {
	t.Helper()
	check(t, os.Mkdir(dir, 0o700))
	d := &disk{t: t, dir: dir}
	if os.Geteuid() != 0 {
		d.prefix = []string{"sudo", "-n"}
	}
	if err := d.root("true"); err != nil {
		d.noRoot, d.reason = true, "needs root, or sudo without a password"
		return d
	}
	if err := d.mountLoop(); err == nil {
		d.kind = "ext4"
	} else if d.reason = "needs a loop device: " + err.Error(); d.root("mount", "-t", "tmpfs", "-o", "size="+strconv.Itoa(diskSize), "tmpfs", dir) == nil {
		d.kind = "tmpfs"
	} else {
		return d
	}
	t.Cleanup(func() { check(t, d.root("umount", "--lazy", dir)) })
	check(t, d.root("chown", strconv.Itoa(os.Getuid())+":"+strconv.Itoa(os.Getgid()), dir))
	check(t, d.root("chmod", "0700", dir))
	return d
}

func (d *disk) mountLoop() error {
	image, err := d.image()
	if err != nil {
		return err
	}
	if err := d.root("mkfs.ext4", "-q", "-F", "-m", "0", image); err != nil {
		return err
	}
	return d.root("mount", "-o", "loop", image, d.dir)
}

// memory is a file system in memory. On a busy disk even a write of a healthy
// daemon can take as long as audit.timeout.
const memory = "/dev/shm"

// image makes the file behind the disk, in memory if that has room for it.
func (d *disk) image() (path string, err error) {
	dir := filepath.Dir(d.dir)
	var shared unix.Statfs_t
	if unix.Statfs(memory, &shared) == nil && shared.Bavail*uint64(shared.Bsize) > 2*diskSize {
		dir = memory
	}
	file, err := os.CreateTemp(dir, "assertd-chaos-")
	if err != nil {
		return "", err
	}
	d.t.Cleanup(func() { _ = os.Remove(file.Name()) })
	return file.Name(), errors.Join(file.Truncate(diskSize), file.Close())
}

// root runs a command as root.
func (d *disk) root(args ...string) error {
	out, err := d.rootCommand(args...).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil && text != "" {
		err = errors.New(text)
	}
	return err
}

func (d *disk) rootCommand(args ...string) *exec.Cmd {
	args = append(d.prefix[:len(d.prefix):len(d.prefix)], args...)
	return exec.Command(args[0], args[1:]...)
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *disk) ballast() string { return d.path("ballast") }

// fill leaves no room on the disk.
func (d *disk) fill() {
	file, err := os.Create(d.ballast())
	check(d.t, err)
	defer file.Close()
	at, size := int64(0), int64(diskSize)
	for size > 0 {
		switch err := unix.Fallocate(int(file.Fd()), 0, at, size); {
		case err == nil:
			at += size
		case errors.Is(err, unix.ENOSPC):
			size /= 2
		case !errors.Is(err, unix.EINTR):
			check(d.t, err)
		}
	}
}

// empty makes room again. What ext4 frees is free once it is synced.
func (d *disk) empty() {
	check(d.t, os.Remove(d.ballast()))
	dir, err := os.Open(d.dir)
	check(d.t, err)
	defer dir.Close()
	check(d.t, unix.Syncfs(int(dir.Fd())))
}

// freeze makes every write to the disk wait. The disk thaws by itself, even if
// this process is killed or a person presses Ctrl-C.
func (d *disk) freeze(hold time.Duration) {
	script := `trap "" HUP INT TERM; fsfreeze --freeze "$1" && { sleep "$2"; fsfreeze --unfreeze "$1"; }`
	check(d.t, d.root("sh", "-c", script, "freeze", d.dir, strconv.FormatFloat(hold.Seconds(), 'f', 3, 64)))
}
