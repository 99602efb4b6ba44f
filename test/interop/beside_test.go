package interop

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// beside is the test that mostly waits, for receivers that cache a JWKS. A run
// of all tests has it in a process of its own, beside the others.
const beside = "^TestRotation$"

// binariesVariable names the directory of the programs to such a process.
const binariesVariable = "ASSERTD_INTEROP_BINARIES"

// runAll runs the tests and returns the exit code.
func runAll(m *testing.M) int {
	if !runsAllTests() {
		return m.Run()
	}
	var err error
	if built.dir, err = build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	child := exec.Command(os.Args[0], besideArguments()...)
	child.Env = append(os.Environ(), binariesVariable+"="+built.dir)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := flag.Set("test.skip", beside); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	err = child.Wait()
	if err != nil || testing.Verbose() {
		os.Stdout.Write(out.Bytes())
	}
	if err != nil {
		fmt.Println("FAIL", beside, err)
		return 1
	}
	return code
}

// runsAllTests reports whether no flag selects some of the tests.
func runsAllTests() bool {
	flag.Parse()
	return !slices.ContainsFunc([]string{"test.run", "test.skip", "test.list"}, func(name string) bool {
		return flag.Lookup(name).Value.String() != ""
	})
}

// besideArguments are this process's flags, but those that name files, which
// two processes can't share.
func besideArguments() []string {
	files := []string{
		"testlogfile", "coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace", "gocoverdir",
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-test."), "=")
		return slices.Contains(files, name)
	})
	return append(args, "-test.run="+beside)
}
