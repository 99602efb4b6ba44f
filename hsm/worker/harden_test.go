package worker

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// harden changes the process for good, so it runs in a child process.
func TestHarden(t *testing.T) {
	if os.Getenv("HARDEN_HERE") != "" {
		checkHardened(t)
		return
	}
	stray, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestHarden$", "-test.v")
	cmd.Env = append(os.Environ(), "HARDEN_HERE=1")
	cmd.ExtraFiles = []*os.File{stray, stray} // descriptors 3, the pool's, and 4
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestHarden") {
		t.Errorf("%v\n%s", err, out)
	}
}

func checkHardened(t *testing.T) {
	if err := harden(); err != nil {
		t.Fatal(err)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable is %d, %v", dumpable, err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core != (unix.Rlimit{}) {
		t.Errorf("the limit for core files is %+v, %v", core, err)
	}
	if _, err := unix.FcntlInt(FD, unix.F_GETFD, 0); err != nil {
		t.Errorf("the pool's descriptor was closed: %v", err)
	}
	if _, err := unix.FcntlInt(FD+1, unix.F_GETFD, 0); err == nil {
		t.Error("an inherited descriptor is open")
	}
}
