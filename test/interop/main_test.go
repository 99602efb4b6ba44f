package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(provisionMark) != "" {
		os.Exit(provision(os.Stdin, os.Stdout, os.Stderr))
	}
	code := runAll(m)
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the directory of the programs under test, once a test has needed
// one. It is empty in a process that has them from another one.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// binary returns the path of assertd or assertctl, built from this checkout.
func binary(t testing.TB, name string) string {
	t.Helper()
	if dir := os.Getenv(binariesVariable); dir != "" {
		return filepath.Join(dir, name)
	}
	built.once.Do(func() {
		if built.dir == "" {
			built.dir, built.err = build()
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "assertd-interop"); err != nil {
		return "", err
	}
	args := append([]string{"build"}, raceFlags...)
	command := exec.Command("go", append(args, "-o", dir, "./cmd/assertd", "./cmd/assertctl")...)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("go build in %s: %w\n%s", root, err, out)
	}
	return dir, nil
}

// root is the directory of assertd's module.
const root = "../.."
