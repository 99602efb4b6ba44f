package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/test/frozendisk"
)

// Environment variables that make the test binary something else: a process
// that starts children, and exits while one writes.
const leaver = "ASSERTD_TEST_LEAVES"

var children = &Writer{Command: []string{"/proc/self/exe", "write-file"}, Logger: logging.Discard}

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "write-file":
		if Serve(os.Args[2:], os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
	case os.Getenv(leaver) != "":
		leave(os.Getenv(leaver))
	default:
		os.Exit(m.Run())
	}
}

// leave gives up a write and exits.
func leave(path string) {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	_, err := children.Update(ctx, path, []byte("late"), 0o600)
	fmt.Println(errors.Is(err, ErrStuck))
}

func TestWriterUpdates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	large := strings.Repeat("x", 5<<20)
	for _, step := range []struct {
		content string
		changed bool
	}{{"one", true}, {"one", false}, {large, true}, {"", true}} {
		changed, err := children.Update(t.Context(), path, []byte(step.content), 0o640)
		if err != nil || changed != step.changed {
			t.Errorf("changed %v, %v", changed, err)
		}
		content, err := os.ReadFile(path)
		if err != nil || string(content) != step.content {
			t.Errorf("the file has %d bytes, %v", len(content), err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// The error of a child reads as if there were none.
func TestWriterReportsErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "file")
	_, here := Update(path, nil, 0o600)
	_, there := children.Update(t.Context(), path, nil, 0o600)
	if here == nil || there == nil || !strings.HasSuffix(there.Error(), "no such file or directory") {
		t.Errorf("%v, want %v", there, here)
	}
	for _, command := range [][]string{{"false"}, {"true"}, {"/nonexistent"}} {
		w := &Writer{Command: command, Logger: logging.Discard}
		if _, err := w.Update(t.Context(), path, nil, 0o600); err == nil || !strings.Contains(err.Error(), "process") {
			t.Errorf("%v: %v", command, err)
		}
	}
}

func TestWriterGivesUp(t *testing.T) {
	w := &Writer{Command: []string{"sh", "-c", "exec sleep 1000"}, Logger: logging.Discard}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	if _, err := w.Update(ctx, "/file", nil, 0o600); !errors.Is(err, ErrStuck) {
		t.Error(err)
	}
}

// A process can exit while the disk of its file hangs, and what it gave up is
// never written: another one may have written something newer by then.
func TestAProcessExitsWhileTheDiskIsFrozen(t *testing.T) {
	disk := frozendisk.New(t)
	if disk == nil {
		t.Log("can't mount a disk; TestWriterGivesUp needs none")
		return
	}
	path := filepath.Join(disk.Dir, "file")
	if err := os.WriteFile(path, []byte("early"), 0o600); err != nil {
		t.Fatal(err)
	}
	disk.Freeze(t)
	began := time.Now()
	process := exec.Command("/proc/self/exe")
	process.Env = append(os.Environ(), leaver+"="+path)
	if out, err := process.Output(); err != nil || string(out) != "true\n" {
		t.Errorf("%s, %v", out, err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the process exited after %v", took)
	}
	disk.Thaw(t)
	if _, err := children.Update(t.Context(), filepath.Join(disk.Dir, "other"), nil, 0o600); err != nil {
		t.Error(err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "early" {
		t.Errorf("%s, %v", content, err)
	}
}
