package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/assertd/assertd/internal/sandbox"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// hostile is a site whose PKCS#11 module attacks from inside its worker.
type hostile struct {
	*site
	module *faulty.Module
	uid    uint32 // the daemon's user
}

// nobody is an unprivileged user.
const nobody = 65534

// newHostile starts a daemon as a user, with additions to its sandbox.
func newHostile(t *testing.T, uid uint32, settings string) *hostile {
	t.Helper()
	h := &hostile{site: newSite(t), uid: uid}
	h.module = h.lockable()
	h.module.CountPINs(0)
	h.configure("sandbox: {", "sandbox: {"+settings)
	if uid != uint32(os.Geteuid()) {
		h.give(uid, h.layout.Dir, filepath.Dir(h.log), filepath.Dir(h.module.Path()))
	}
	h.serveWith(func(daemon *exec.Cmd) error {
		daemon.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if uid == uint32(os.Geteuid()) {
			daemon.SysProcAttr = nil
		}
		return daemon.Start()
	})
	h.awaitWorkers()
	return h
}

// give makes directories and all that is in them a user's.
func (h *hostile) give(uid uint32, directories ...string) {
	h.t.Helper()
	for _, dir := range append(directories, binaries) {
		for parent := dir; parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
			check(h.t, os.Chmod(parent, 0o755))
		}
	}
	for _, dir := range directories {
		check(h.t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, int(uid), int(uid)))
		}))
	}
}

// attack has a worker attack, and returns what stopped it. Each assertion gives
// the module a chance.
func (h *hostile) attack(a faulty.Attack, target string) error {
	h.t.Helper()
	h.module.Attack(h.t, a, target)
	var stopped error
	eventually(h.t, "the attack has ended", func() (ended bool) {
		_, _ = h.assertctl("assert")
		ended, stopped = h.module.Outcome()
		return ended
	})
	return stopped
}

// signs gets an assertion: the daemon has survived.
func (h *hostile) signs() {
	h.t.Helper()
	eventually(h.t, "the daemon signs", func() bool {
		out, err := h.assertctl("assert")
		return err == nil && strings.Count(out, ".") == 2
	})
}

func (h *hostile) assertctl(args ...string) (string, error) {
	h.t.Helper()
	out, err := exec.CommandContext(h.t.Context(), filepath.Join(binaries, "assertctl"),
		append([]string{"--socket", h.layout.Socket}, args...)...).CombinedOutput()
	return string(out), err
}

// asEachUser runs a test with a daemon that is root, one that is root with a
// user for its workers, and one that isn't root.
func asEachUser(t *testing.T, settings string, test func(*testing.T, *hostile)) {
	t.Helper()
	if os.Geteuid() != 0 {
		test(t, newHostile(t, uint32(os.Geteuid()), settings))
		return
	}
	t.Run("root", func(t *testing.T) { test(t, newHostile(t, 0, settings)) })
	t.Run("nobody", func(t *testing.T) { test(t, newHostile(t, nobody, settings)) })
}

// A module that connects to the callers' socket or the operator socket gets no
// answer, and neither do a child of its worker, an orphan, and a process that
// exits once it is connected.
func TestModuleCantReachTheSockets(t *testing.T) {
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		for name, a := range map[string]faulty.Attack{
			"worker": faulty.Connect, "orphan": faulty.ConnectOrphan, "exited": faulty.ConnectAndExit,
		} {
			for _, socket := range []string{h.layout.Socket, h.layout.Operator} {
				if err := h.attack(a, socket); !errors.Is(err, faulty.ErrNoAnswer) {
					t.Errorf("%s, %s: %v", name, filepath.Base(socket), err)
				}
			}
		}
		h.signs()
		eventually(t, "the log names the attack", func() bool {
			log, err := os.ReadFile(filepath.Join(h.layout.Dir, "log"))
			check(t, err)
			return strings.Contains(string(log), "treat the PKCS#11 module as compromised")
		})
		if status, err := h.status(); err != nil || status.Sandbox.Refused < 4 {
			t.Errorf("status counts %d refused connections, %v", status.Sandbox.Refused, err)
		}
	})
}

// A module can't signal the front, attach to it, read its environment, or
// change its limits.
func TestModuleCantTouchTheFront(t *testing.T) {
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		if err := h.attack(faulty.SignalParent, ""); sandbox.Scopes() && !errors.Is(err, syscall.EPERM) {
			t.Errorf("a signal: %v", err)
		}
		if err := h.attack(faulty.TraceParent, ""); !errors.Is(err, syscall.EPERM) {
			t.Errorf("a debugger: %v", err)
		}
		if err := h.attack(faulty.ReadParent, ""); !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EPERM) {
			t.Errorf("its environment: %v", err)
		}
		if err := h.attack(faulty.LimitParent, ""); !errors.Is(err, syscall.EPERM) {
			t.Errorf("its limits: %v", err)
		}
	})
}

// A module can't connect to an abstract socket of another process.
func TestModuleCantReachAbstractSockets(t *testing.T) {
	name := fmt.Sprintf("@assertd-test-%d", os.Getpid())
	listener, err := net.Listen("unix", name)
	check(t, err)
	defer listener.Close()
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		if err := h.attack(faulty.Connect, name); sandbox.Scopes() && !errors.Is(err, syscall.EPERM) {
			t.Errorf("%v", err)
		}
	})
}

// The filter of system calls holds, also for 32-bit calls and io_uring.
func TestModuleCantMakeOtherCalls(t *testing.T) {
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		for name, a := range map[string]faulty.Attack{
			"a namespace": faulty.Namespace, "a 32-bit call": faulty.OldABI, "io_uring": faulty.Ring,
		} {
			if err := h.attack(a, ""); !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EFAULT) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// sandbox.network says which sockets a module can make.
func TestModuleNetwork(t *testing.T) {
	const refused = syscall.EAFNOSUPPORT
	for network, want := range map[string]struct{ internet, unix error }{
		"none": {refused, refused}, "unix": {refused, faulty.ErrNoAnswer}, "any": {nil, faulty.ErrNoAnswer},
	} {
		t.Run(network, func(t *testing.T) {
			h := newHostile(t, uint32(os.Geteuid()), "network: "+network+", ")
			if err := h.attack(faulty.Internet, ""); !errors.Is(err, want.internet) {
				t.Errorf("TCP: %v", err)
			}
			if err := h.attack(faulty.Connect, h.layout.Socket); !errors.Is(err, want.unix) {
				t.Errorf("a Unix socket: %v", err)
			}
			if err := h.attack(faulty.Datagram, h.layout.Socket); network == "none" && !errors.Is(err, refused) {
				t.Errorf("a socket pair: %v", err)
			}
			h.signs()
		})
	}
}

// A module that takes all memory gets what sandbox.worker_memory allows, and
// the daemon signs on.
func TestModuleMemoryIsBounded(t *testing.T) {
	asEachUser(t, "worker_memory: 512MiB, ", func(t *testing.T, h *hostile) {
		if err := h.attack(faulty.Allocate, ""); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("%v", err)
		}
		h.signs()
	})
}

// A module has no capabilities, and no program that it executes gets any.
func TestModuleHasNoCapabilities(t *testing.T) {
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		for _, worker := range h.workers() {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", worker))
			check(t, err)
			for _, line := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
				if !strings.Contains(string(status), line) {
					t.Errorf("worker %d has no %q in\n%s", worker, line, status)
				}
			}
			if h.uid == 0 && !strings.Contains(string(status), "CapBnd:\t0000000000000000") {
				t.Errorf("worker %d has a bounding set:\n%s", worker, status)
			}
		}
	})
}

func (h *hostile) workers() (pids []int) {
	h.t.Helper()
	tokens, err := h.tokens()
	check(h.t, err)
	for _, token := range tokens {
		for _, worker := range token.Workers {
			pids = append(pids, worker.PID)
		}
	}
	return pids
}

// With sandbox.user, a module runs as that user, and can't become root again or
// reach a file or a socket of the daemon.
func TestModuleRunsAsItsOwnUser(t *testing.T) {
	s := newSite(t)
	h := &hostile{site: s, module: s.lockable()}
	h.module.CountPINs(0)
	h.configure("sandbox: {", "sandbox: {user: nobody, ")
	if os.Geteuid() != 0 {
		out, err := exec.Command(filepath.Join(binaries, "assertd"), "serve", "--config", h.layout.Config).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "requires a daemon that starts as root") {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	h.give(nobody, filepath.Dir(h.module.Path()), h.layout.Tokens)
	check(t, os.Chmod(h.layout.SoftHSMConf, 0o644))
	h.serve()
	h.awaitWorkers()
	for _, worker := range h.workers() {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", worker))
		check(t, err)
		if !strings.Contains(string(status), "Uid:\t65534\t65534\t65534\t65534") || strings.Contains(string(status), "Groups:\t0") {
			t.Errorf("worker %d:\n%s", worker, status)
		}
	}
	if err := h.attack(faulty.BecomeRoot, ""); !errors.Is(err, syscall.EPERM) {
		t.Errorf("root: %v", err)
	}
	if err := h.attack(faulty.Connect, h.layout.Operator); !errors.Is(err, syscall.EACCES) {
		t.Errorf("the operator socket: %v", err)
	}
	if err := h.attack(faulty.SignalParent, ""); !errors.Is(err, syscall.EPERM) {
		t.Errorf("a signal: %v", err)
	}
	for _, a := range []faulty.Attack{faulty.Connect, faulty.ConnectOrphan} {
		if err := h.attack(a, h.layout.Socket); err == nil {
			t.Errorf("attack %d on the callers' socket got an answer", a)
		}
	}
	h.signs()
}

// A module can't write where the daemon keeps its records and its sockets.
func TestModuleCantWriteElsewhere(t *testing.T) {
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		for _, dir := range []string{filepath.Dir(h.log), filepath.Dir(h.layout.Socket)} {
			err := h.attack(faulty.CreateFile, filepath.Join(dir, "planted"))
			if sandbox.Supported() > 0 && !errors.Is(err, syscall.EACCES) {
				t.Errorf("%s: %v", dir, err)
			}
		}
	})
}

// A module can't open the daemon's sockets and records to other users, although
// it has the user that owns them.
func TestModuleCantChangeModes(t *testing.T) {
	asEachUser(t, "", func(t *testing.T, h *hostile) {
		for _, path := range []string{h.layout.Operator, filepath.Dir(h.layout.Operator), h.log, h.layout.Config} {
			if err := h.attack(faulty.OpenToAll, path); !errors.Is(err, syscall.EPERM) {
				t.Errorf("%s: %v", path, err)
			}
		}
		h.signs()
	})
}
