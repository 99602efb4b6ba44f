package docs

import (
	"context"
	"errors"
	"fmt"
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

// documents are those whose commands are run or marked.
func documents(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{
		"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "docs/hsm/*.md",
		"deploy/kubernetes/README.md", "examples/README.md",
	} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: nothing (%v)", pattern, err)
		}
		all = append(all, found...)
	}
	return all
}

// block is one block of commands and what is to become of it.
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
			w := newWalk(t, bin)
			for _, b := range blocks(t, document) {
				if err := w.run(t.Context(), b); err != nil {
					t.Fatalf("%s:%d: %v", document, b.line, err)
				}
			}
		})
	}
}

// build makes the programs that the commands name.
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

// walk is a session at a terminal: one directory, and an environment that goes from
// block to block.
type walk struct {
	dir, environment string
	background       *exec.Cmd
}

func newWalk(t *testing.T, bin string) *walk {
	w := &walk{dir: t.TempDir()}
	w.environment = filepath.Join(w.dir, ".environment")
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink(bin, filepath.Join(w.dir, "bin")), os.Symlink(examples, filepath.Join(w.dir, "examples")), os.WriteFile(w.environment, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.end)
	return w
}

// end ends what runs in the background, its children with it.
func (w *walk) end() {
	if w.background == nil {
		return
	}
	_ = syscall.Kill(-w.background.Process.Pid, syscall.SIGTERM)
	_ = w.background.Wait()
}

var exitCode = regexp.MustCompile(`^run, exit code ([0-9]+)$`)

func (w *walk) run(ctx context.Context, b block) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	switch code := exitCode.FindStringSubmatch(b.mark); {
	case b.mark == "not runnable here":
		return nil
	case b.mark == "run":
		return w.foreground(ctx, b.text, 0)
	case b.mark == "run in the background":
		return w.start(ctx, b.text)
	case code != nil:
		want, _ := strconv.Atoi(code[1])
		return w.foreground(ctx, b.text, want)
	}
	return fmt.Errorf("the block has no mark that says whether it runs, but %q before it", b.mark)
}

// foreground runs commands and keeps their variables for the blocks that follow.
func (w *walk) foreground(ctx context.Context, text string, want int) error {
	cmd := w.shell(ctx, ". "+w.environment+"\nset -e\n"+text+"export -p > "+w.environment+"\n")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		return fmt.Errorf("%v, want exit code %d\n%s", err, want, out)
	}
	return nil
}

// start leaves commands running and waits until the daemon that they start serves.
func (w *walk) start(ctx context.Context, text string) error {
	w.background = w.shell(context.WithoutCancel(ctx), text)
	w.background.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := w.background.Start(); err != nil {
		return err
	}
	return w.foreground(ctx, "until curl -sf --unix-socket .assertd/assertd.sock http://assertd/v1/ready >/dev/null; do sleep 0.1; done\n", 0)
}

func (w *walk) shell(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir = w.dir
	cmd.WaitDelay = time.Second
	return cmd
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks follows every link between the documents.
func TestLinks(t *testing.T) {
	for _, document := range documents(t) {
		content, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(content), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", document, match[1])
			}
		}
	}
}
