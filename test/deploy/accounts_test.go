package deploy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// extraUsers is where libnss-extrausers has its accounts: files that the
// sandbox doesn't let the daemon read.
const extraUsers = "/var/lib/extrausers"

// nameService is a machine's second source of accounts, as its daemon sees it.
// Nobody else does: it is in a mount namespace.
type nameService struct {
	t   *testing.T
	dir string
}

// newNameService returns nil if this process can't mount.
func newNameService(t *testing.T) *nameService {
	t.Helper()
	if able, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0, 0, 0); err != nil || able == 0 || os.Geteuid() != 0 {
		return nil
	}
	n := &nameService{t, publicDir(t)}
	n.write("nsswitch.conf", "passwd: files extrausers\ngroup: files extrausers\n")
	n.set()
	return n
}

func (n *nameService) write(name, text string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// set replaces the accounts, which are users and groups of the same name. The
// first has ID 5001.
func (n *nameService) set(names ...string) {
	n.t.Helper()
	var users, groups string
	for i, name := range names {
		users += fmt.Sprintf("%s:x:%d:%[2]d::/:/bin/false\n", name, 5001+i)
		groups += fmt.Sprintf("%s:x:%d:\n", name, 5001+i)
	}
	n.write("passwd", users)
	n.write("group", groups)
}

// command runs a program that finds the accounts.
func (n *nameService) command(argv ...string) []string {
	mount := fmt.Sprintf("mount --bind %s/nsswitch.conf /etc/nsswitch.conf && mount --bind %[1]s %s && exec \"$@\"", n.dir, extraUsers)
	return append([]string{"unshare", "--mount", "sh", "-c", mount, "sh"}, argv...)
}

// TestAccountsOfAnotherNameService has clients whose users only a second name
// service knows. Its files are out of the daemon's reach, and yet a reload
// finds users that were added after the start, and no longer finds those that
// were deleted.
func TestAccountsOfAnotherNameService(t *testing.T) {
	names := newNameService(t)
	if names == nil {
		t.Log("can't mount; internal/accounts has a test of the lookups that does not")
		return
	}
	dir := t.TempDir()
	d := startDev(t, dir, nil)
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "assertd.yaml")
	names.set("sven")
	edit(t, conf, "clients:\n", "clients:\n  - name: sven\n    match: {user: sven}\n    grants: [{name: raw, key: dev-raw}]\n")
	edit(t, conf, `mode: "0600"`, `mode: "0660", group: sven`)
	d = start(t, dir, nil, names.command(program(t, "assertd"), "serve", "--config", conf)...)
	d.await(t, "started: version")
	d.assert(t)
	if info, err := os.Stat(filepath.Join(dir, "assertd.sock")); err != nil || info.Sys().(*syscall.Stat_t).Gid != 5001 {
		t.Errorf("the socket's group: %v, %v", info.Sys(), err)
	}
	if !d.confines(t) {
		return
	}
	reload := func(log string, times int) {
		t.Helper()
		if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		d.awaitTimes(t, log, times)
	}
	reload("reloaded", 1)
	names.set("sven", "olga")
	edit(t, conf, "clients:\n", "clients:\n  - name: olga\n    match: {user: olga, group: olga}\n    grants: [{name: raw, key: dev-raw}]\n")
	reload("reloaded", 2)
	names.set("sven")
	reload(`this machine has no user "olga"`, 1)
	names.set("sven", "olga")
	reload("reloaded", 3)
	d.assert(t)
}

// publicDir is a directory that every process can read.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}
