package client

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

func TestKeeperReplacesTheFile(t *testing.T) {
	var n atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 2 {
			refuse(w, ipc.NewProblem(ipc.CodeRateLimited, "")) // a temporary refusal
			return
		}
		one := assertion(ipc.SendClientAssertion)
		one.Assertion, one.ExpiresAt = strings.Repeat("a", int(n.Load())), one.IssuedAt+2
		answer(w, one)
	}).dial(t)
	file := filepath.Join(t.TempDir(), "token")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var renewed, failed atomic.Int64
	keeper, err := c.Keeper(KeeperOptions{
		File:   file,
		Failed: func(error, time.Duration) { failed.Add(1) },
		Renewed: func(context.Context, time.Time) error {
			if renewed.Add(1) == 2 {
				cancel()
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Run(ctx); err != nil {
		t.Errorf("Run ended with %v", err)
	}
	text, err := os.ReadFile(file)
	if err != nil || string(text) != "aaa" || failed.Load() != 1 {
		t.Errorf("the file holds %q, %v; %d failures", text, err, failed.Load())
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// A slow Renewed callback does not postpone the next renewal.
func TestKeeperCountsFromIssuance(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) }).dial(t)
	var late atomic.Int64
	c.now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	renewed := 0
	keeper, err := c.Keeper(KeeperOptions{File: filepath.Join(t.TempDir(), "token"), Renewed: func(context.Context, time.Time) error {
		late.Store(int64(40 * time.Second)) // of a minute
		if renewed++; renewed == 2 {
			cancel()
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Run(ctx); err != nil || renewed != 2 {
		t.Errorf("renewed %d times, %v", renewed, err)
	}
}

// The umask is the process's, so that this test runs by itself.
func TestKeeperGivesItsOwnerTheFileWhateverTheUmask(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) }).dial(t)
	file := filepath.Join(t.TempDir(), "token")
	keeper, err := c.Keeper(KeeperOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o377))
	if _, _, err := keeper.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestKeeperStopsWhenRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, ipc.NewProblem(ipc.CodeUnknownCaller, "")) }).dial(t)
	file := filepath.Join(t.TempDir(), "token")
	keeper, err := c.Keeper(KeeperOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Run(t.Context()); !errors.Is(err, ipc.CodeUnknownCaller) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("wrote a file although nothing was signed: %v", err)
	}
}

func TestKeeperWaitsForDaemon(t *testing.T) {
	s := &stub{socket: filepath.Join(t.TempDir(), "s")}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	keeper, err := s.dial(t).Keeper(KeeperOptions{
		File: filepath.Join(t.TempDir(), "token"),
		Failed: func(err error, _ time.Duration) {
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("failed with %v", err)
			}
			s.listen(t, func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) })
		},
		Renewed: func(context.Context, time.Time) error { cancel(); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Run(ctx); err != nil || s.calls.Load() != 1 {
		t.Errorf("ended with %v after %d calls", err, s.calls.Load())
	}
}

func TestKeeperRejectsUnsafePaths(t *testing.T) {
	c, err := New("/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(open, "own")
	if err := os.Mkdir(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	pipe, link := filepath.Join(directory, "pipe"), filepath.Join(directory, "link")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("elsewhere", link)); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", "/does/not/exist/token", filepath.Join(open, "token"), filepath.Join(shared, "token"), directory, pipe, link} {
		if _, err := c.Keeper(KeeperOptions{File: file}); err == nil {
			t.Errorf("%q was accepted", file)
		}
	}
}

// TestKeeperStaysWhereItChecked gives a path that the kernel and filepath.Dir
// read differently.
func TestKeeperStaysWhereItChecked(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { answer(w, assertion(ipc.SendClientAssertion)) }).dial(t)
	directory, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(filepath.Join(elsewhere, "sub"), filepath.Join(directory, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(elsewhere, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	keeper, err := c.Keeper(KeeperOptions{File: directory + "/link/../token"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keeper.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(directory, "token")); err != nil {
		t.Error(err)
	}
}

// TestFilesAndDirectoriesKeep refuses directories of other users, also further
// up.
func TestFilesAndDirectoriesKeep(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make such a directory
	}
	c, err := New("/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign")
	own := filepath.Join(foreign, "own")
	if err := errors.Join(os.MkdirAll(own, 0o700), os.Chown(foreign, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{foreign, own} {
		_, err := c.Keeper(KeeperOptions{File: filepath.Join(dir, "token")})
		if err == nil || !strings.Contains(err.Error(), "chown root "+foreign) {
			t.Errorf("in %s: %v", dir, err)
		}
	}
}
