package docs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// documents lists the files whose command blocks must have a mark.
func documents(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{
		"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/hsm/*.md",
		"deploy/kubernetes/README.md", "deploy/helm/assertd/README.md", "examples/README.md",
	} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no files match %s (%v)", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

// block is a block of commands and the mark that says how to run it.
type block struct {
	line       int
	mark, text string
}

func blocks(t *testing.T, document string) (all []block) {
	t.Helper()
	content, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] != "```sh" {
			continue
		}
		b := block{line: i + 1, mark: strings.TrimSuffix(strings.TrimPrefix(lines[i-1], "<!-- "), " -->")}
		for i++; lines[i] != "```"; i++ {
			b.text += lines[i] + "\n"
		}
		all = append(all, b)
	}
	return all
}

func TestCommands(t *testing.T) {
	bin := build(t)
	for _, document := range documents(t) {
		t.Run(filepath.Base(document), func(t *testing.T) {
			s := newSession(t, bin)
			for _, b := range blocks(t, document) {
				if err := s.run(t.Context(), b); err != nil {
					t.Fatalf("%s:%d: %v", document, b.line, err)
				}
			}
		})
	}
}

// build builds the programs that the commands use.
func build(t *testing.T) (bin string) {
	bin = t.TempDir()
	for _, name := range []string{"assertd", "assertctl"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, name), "./cmd/"+name)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return bin
}

// session runs the blocks of one document in one directory. Variables carry
// over from block to block, as in a terminal.
type session struct {
	dir, environment string
	background       *exec.Cmd
}

func newSession(t *testing.T, bin string) *session {
	s := &session{dir: t.TempDir()}
	s.environment = filepath.Join(s.dir, ".environment")
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(bin, filepath.Join(s.dir, "bin")), os.Symlink(examples, filepath.Join(s.dir, "examples")), os.WriteFile(s.environment, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	return s
}

// drain bounds how long a daemon in the background takes to stop.
const drain = time.Minute

// end stops the background process and its children. Wait returns when the last
// of them has closed its output: the shell dies first, and the daemon writes to
// the directory until it has stopped.
func (s *session) end() {
	if s.background == nil {
		return
	}
	_ = syscall.Kill(-s.background.Process.Pid, syscall.SIGTERM)
	_ = s.background.Wait()
}

var (
	exitCode  = regexp.MustCompile(`^run, exit code ([0-9]+)$`)
	installed = regexp.MustCompile(`^run by make dist-test(, typing( [0-9]+)+)?$`)
)

// TestFirstStepsAreRun: what a new user types first runs here, or where make
// dist-test boots a machine with the package.
func TestFirstStepsAreRun(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "getting-started-*.md"))
	if err != nil || len(pages) != 3 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		for _, b := range blocks(t, page) {
			if b.mark == "not runnable here" && b.text != "make build\n" {
				t.Errorf("%s:%d: nothing runs these commands:\n%s", page, b.line, b.text)
			}
		}
	}
}

func (s *session) run(ctx context.Context, b block) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	switch code := exitCode.FindStringSubmatch(b.mark); {
	case b.mark == "not runnable here", installed.MatchString(b.mark):
		return nil
	case b.mark == "run":
		return s.foreground(ctx, b.text, 0)
	case b.mark == "run in the background":
		return s.start(ctx, b.text)
	case code != nil:
		want, _ := strconv.Atoi(code[1])
		return s.foreground(ctx, b.text, want)
	}
	return fmt.Errorf("%q before a block is not a mark; see the package comment of test/docs", b.mark)
}

// foreground runs commands and saves their variables for the next block.
func (s *session) foreground(ctx context.Context, text string, want int) error {
	cmd := s.shell(ctx, ". "+s.environment+"\nset -e\n"+text+"export -p > "+s.environment+"\n")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		return fmt.Errorf("%v, want exit code %d\n%s", err, want, out)
	}
	return nil
}

// ready waits for the daemon and all of its workers. While a worker logs in
// SoftHSM rewrites the token's file, and other programs do not find the token.
const ready = `until state=$(curl -sf --unix-socket .assertd/assertd.sock http://assertd/v1/ready) &&
	! echo "$state" | grep -q '"state":"[^r]'; do sleep 0.1; done
`

// start runs commands in the background and waits until their daemon is ready.
func (s *session) start(ctx context.Context, text string) error {
	s.background = s.shell(context.WithoutCancel(ctx), text)
	s.background.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.background.Stdout, s.background.Stderr, s.background.WaitDelay = io.Discard, io.Discard, drain // not files: Wait waits for them
	if err := s.background.Start(); err != nil {
		return err
	}
	return s.foreground(ctx, ready, 0)
}

func (s *session) shell(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = s.dir
	cmd.WaitDelay = time.Second
	return cmd
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks checks that every relative link points to a file.
func TestLinks(t *testing.T) {
	for _, document := range documents(t) {
		content, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(content), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s: broken link: %s", document, match[1])
			}
		}
	}
}
