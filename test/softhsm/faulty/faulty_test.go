package faulty_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/test/softhsm/faulty"
)

// open loads the module in this process. Tests of faults that end or block a
// process use a child process instead.
func open(t *testing.T, m *faulty.Module) *pkcs11.Ctx {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for name, value := range m.Environment() {
		t.Setenv(name, value)
	}
	ctx := pkcs11.New(m.Path())
	if ctx == nil {
		t.Fatal("the module does not load")
	}
	t.Cleanup(ctx.Destroy)
	return ctx
}

func TestFaultsFollowTheirConditions(t *testing.T) {
	m := faulty.Build(t)
	p := open(t, m)
	if err := p.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Finalize() })

	m.Set(t, "C_GetInfo", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_DEVICE_REMOVED, Every: 3, Limit: 2})
	var failed []int
	for call := 1; call <= 12; call++ {
		if _, err := p.GetInfo(); errors.Is(err, pkcs11.Error(pkcs11.CKR_DEVICE_REMOVED)) {
			failed = append(failed, call)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if len(failed) != 2 || failed[0] != 3 || failed[1] != 6 {
		t.Errorf("calls %v failed; want 3 and 6", failed)
	}
	if calls, fired := m.Calls(t, "C_GetInfo"), m.Fired(t, "C_GetInfo"); calls != 12 || fired != 2 {
		t.Errorf("%d calls, %d faults counted; want 12 and 2", calls, fired)
	}

	m.Set(t, "C_GetInfo", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_DEVICE_REMOVED, PID: os.Getpid() + 1})
	if _, err := p.GetInfo(); err != nil {
		t.Errorf("a fault for another process occurred here: %v", err)
	}

	m.Set(t, "C_GetInfo", faulty.Fault{Action: faulty.Delay, Wait: 60 * time.Millisecond})
	start := time.Now()
	if _, err := p.GetInfo(); err != nil || time.Since(start) < 60*time.Millisecond {
		t.Errorf("delayed call: %v after %v", err, time.Since(start))
	}
	m.Clear(t, "C_GetInfo")
	if _, err := p.GetInfo(); err != nil {
		t.Errorf("after Clear: %v", err)
	}
}

func TestCrashEndsTheProcess(t *testing.T) {
	if os.Getenv("FAULTY_CRASH_HERE") != "" {
		_ = pkcs11.New(os.Getenv("FAULTY_CRASH_HERE")).Initialize()
		return
	}
	m := faulty.Build(t)
	m.Set(t, "C_Initialize", faulty.Fault{Action: faulty.Crash})
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashEndsTheProcess$")
	cmd.Env = append(os.Environ(), "FAULTY_CRASH_HERE="+m.Path())
	for name, value := range m.Environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "SIGSEGV") {
		t.Errorf("the process ended with %v; want a segmentation fault", err)
	}
	if m.Fired(t, "C_Initialize") != 1 {
		t.Error("the crash was not counted")
	}
}
