// Package witness_test has the audit log cosigned by a real witness.
package witness_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/test/litewitness"
)

// patience is how long a test waits for something that takes a second or two on
// an idle machine.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if mark := os.Getenv(writerMark); mark != "" {
		fmt.Fprintln(os.Stderr, write(mark))
		os.Exit(1)
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the directory of the programs, once a test has needed one.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of assertd or assertctl.
func program(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(programs(t), name)
}

// programs returns the directory of the programs under test and of litewitness.
func programs(t testing.TB) string {
	t.Helper()
	built.once.Do(func() { built.dir, built.err = build() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "assertd-witness"); err != nil {
		return "", err
	}
	command := exec.Command("go", "-C", "../..", "build", "-o", dir, "./cmd/assertd", "./cmd/assertctl")
	if out, err := command.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build assertd: %w\n%s", err, out)
	}
	return dir, litewitness.Build(context.Background(), dir)
}

// eventually polls until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
