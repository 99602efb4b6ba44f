package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/pty"
)

// person is someone at a terminal on which a program runs.
type person struct {
	*pty.Screen
	terminal *os.File // the person's side
	program  *os.File
	before   *unix.Termios
	process  *exec.Cmd
}

// sitDown starts a program on a terminal of its own.
func sitDown(t *testing.T, width, height int, name string, args ...string) *person {
	t.Helper()
	terminal, program := pty.Open(t, width, height)
	p := &person{terminal: terminal, program: program, before: settings(t, program), Screen: pty.Watch(t, terminal)}
	p.process = exec.Command(name, args...)
	p.process.Stdin, p.process.Stdout, p.process.Stderr = program, program, program
	p.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p.process.Env = append(os.Environ(), "PATH="+binaries+string(os.PathListSeparator)+os.Getenv("PATH"))
	if err := p.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.process.ProcessState == nil { // the test failed before it ended
			_ = p.process.Process.Kill()
			_ = p.process.Wait()
		}
	})
	return p
}

func settings(t *testing.T, terminal *os.File) *unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func (p *person) typeKeys(t *testing.T, keys string) {
	t.Helper()
	if _, err := p.terminal.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// restored waits for the end of the program, and checks its exit code and that
// the terminal is as it was.
func (p *person) restored(t *testing.T, code int) {
	t.Helper()
	_ = p.process.Wait()
	if got := p.process.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d: %s", got, code, p.Text())
	}
	p.AwaitThat(t, "screen given back", func() bool { return !p.Taken() })
	if now := settings(t, p.program); *now != *p.before {
		t.Errorf("the terminal is left with %+v, was %+v", now, p.before)
	}
	if unknown := p.Errors(); len(unknown) > 0 {
		t.Errorf("sequences %q", unknown)
	}
}

// TestTop uses assertctl top with a running daemon as a person does.
func TestTop(t *testing.T) {
	daemon := startDev(t)
	top := []string{"top", "--operator", filepath.Join(daemon.dir, "operator.sock"), "--interval", "100ms"}
	open := func(t *testing.T, width, height int) *person {
		p := sitDown(t, width, height, filepath.Join(binaries, "assertctl"), top...)
		p.Await(t, "q quit")
		if !p.Taken() {
			t.Error("not on the alternate screen")
		}
		return p
	}

	t.Run("keys and numbers", func(t *testing.T) {
		p := open(t, 80, 40)
		if _, err := daemon.Assert(t.Context(), ipc.AssertionRequest{}); err != nil {
			t.Fatal(err)
		}
		p.AwaitThat(t, "signature", func() bool { return row(p, "developer", "example", "dev", "1") })
		for _, line := range p.Lines() {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("a line of %d columns: %s", n, line)
			}
		}
		p.typeKeys(t, "s")
		p.Await(t, "s sort by rate")
		p.typeKeys(t, " ")
		p.Await(t, "PAUSED")
		p.typeKeys(t, " ?")
		p.Await(t, "any key closes it")
		p.typeKeys(t, "x")
		p.Await(t, "RATE")
		p.typeKeys(t, "q")
		p.restored(t, 0)
	})
	t.Run("resize", func(t *testing.T) {
		p := open(t, 80, 40)
		pty.Resize(t, p.terminal, 80, 8)
		p.AwaitThat(t, "page of 8 lines", func() bool { lines := p.Lines(); return len(lines) == 8 && strings.Contains(lines[7], "lines 1-") })
		p.typeKeys(t, "G")
		p.AwaitThat(t, "end of the page", func() bool { return !strings.Contains(p.Text(), "lines 1-") && strings.Contains(p.Text(), "READY") })
		p.typeKeys(t, "\x03")
		p.restored(t, 0)
	})
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			p := open(t, 80, 24)
			if err := p.process.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			p.restored(t, 0)
		})
	}
	t.Run("suspend", func(t *testing.T) {
		p := sitDown(t, 80, 24, "sh", "-mc", "assertctl "+strings.Join(top, " ")+"; echo the shell again; read answer; fg; echo the end")
		p.Await(t, "q quit")
		p.typeKeys(t, "\x1a")
		p.AwaitThat(t, "shell", func() bool { return strings.Contains(p.Text(), "the shell again") && !p.Taken() })
		p.typeKeys(t, "\n")
		p.AwaitThat(t, "top again", func() bool { return p.Taken() && strings.Contains(p.Text(), "q quit") })
		p.typeKeys(t, "q")
		p.Await(t, "the end")
		p.restored(t, 0)
	})
	t.Run("daemon goes away", func(t *testing.T) {
		p := open(t, 80, 24)
		if err := daemon.process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.Await(t, "NO ANSWER for")
		if !strings.Contains(p.Text(), "before: READY") {
			t.Errorf("the last status is gone:\n%s", p.Text())
		}
		p.typeKeys(t, "q")
		p.restored(t, 0)
	})
	t.Run("no daemon", func(t *testing.T) {
		p := sitDown(t, 80, 24, filepath.Join(binaries, "assertctl"), top...)
		p.restored(t, 5)
		p.Await(t, "assertctl:")
	})
}

// row reports whether a line starts with these words.
func row(p *person, words ...string) bool {
	return slices.ContainsFunc(p.Lines(), func(line string) bool {
		fields := strings.Fields(line)
		return len(fields) >= len(words) && slices.Equal(fields[:len(words)], words)
	})
}
