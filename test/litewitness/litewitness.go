// Package litewitness runs a real witness (C2SP tlog-witness) for tests and
// benchmarks: litewitness, a process with a database.
package litewitness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Build builds litewitness and witnessctl into a directory. Their module is
// test/witness, because they bring SQLite.
func Build(ctx context.Context, dir string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/assertd/assertd").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	module := filepath.Join(strings.TrimSpace(string(root)), "test", "witness")
	build := exec.CommandContext(ctx, "go", "-C", module, "build", "-o", dir,
		"filippo.io/torchwood/cmd/litewitness", "filippo.io/torchwood/cmd/witnessctl")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build litewitness: %w\n%s", err, out)
	}
	return nil
}

// Witness is a witness with a new key.
type Witness struct {
	Name string
	Key  string // public, as witnesses publish it
	URL  string

	programs, db, fingerprint string
	agent                     net.Listener
	process                   *exec.Cmd
	exited                    chan struct{}
	log                       journal
}

// New makes a witness that knows no log, and does not run yet. programs is the
// directory that Build filled. The witness keeps its files in dir, whose path
// must be short enough for a socket.
func New(programs, dir, name string) (*Witness, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := torchwood.NewCosignatureSigner(name, private)
	if err != nil {
		return nil, err
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	w := &Witness{
		Name: name, Key: signer.Verifier().String(), URL: "http://" + address,
		programs: programs, db: filepath.Join(dir, "witness.db"), fingerprint: ssh.FingerprintSHA256(public),
	}
	w.agent, err = serveAgent(filepath.Join(dir, "agent"), private)
	return w, err
}

// freeAddress returns a loopback address that was free a moment ago:
// litewitness can't choose one itself and say so.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// serveAgent serves the key as ssh-agent does, which is how litewitness gets
// it.
func serveAgent(socket string, private ed25519.PrivateKey) (net.Listener, error) {
	keys := agent.NewKeyring()
	if err := keys.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer conn.Close()
				_ = agent.ServeAgent(keys, conn) // ends with the connection
			}()
		}
	}()
	return listener, nil
}

// Know registers a log and its public key with the witness.
func (w *Witness) Know(origin, key string) error {
	return errors.Join(
		w.control("add-log", "-origin", origin),
		w.control("add-key", "-origin", origin, "-key", key),
	)
}

func (w *Witness) control(command string, args ...string) error {
	out, err := exec.Command(filepath.Join(w.programs, "witnessctl"), append([]string{command, "-db", w.db}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("witnessctl %s: %w\n%s", command, err, out)
	}
	return nil
}

// Start runs the witness and returns when it answers.
func (w *Witness) Start(ctx context.Context) error {
	w.process = exec.Command(filepath.Join(w.programs, "litewitness"), "-name", w.Name, "-db", w.db,
		"-ssh-agent", w.agent.Addr().String(), "-listen", strings.TrimPrefix(w.URL, "http://"), "-key", w.fingerprint)
	w.process.Stderr = &w.log
	w.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.process.Start(); err != nil {
		return err
	}
	w.exited = make(chan struct{})
	go func(p *exec.Cmd, exited chan struct{}) {
		defer close(exited)
		_ = p.Wait() // it is killed
	}(w.process, w.exited)
	for !answers(ctx, w.URL+"/") {
		select {
		case <-w.exited:
			return fmt.Errorf("litewitness exited: %s", w.Log())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), fmt.Errorf("litewitness does not answer: %s", w.Log()))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Signal sends a signal to the witness, such as SIGSTOP.
func (w *Witness) Signal(s os.Signal) error { return w.process.Process.Signal(s) }

// Kill kills the witness. It can be started again, with what it remembers.
func (w *Witness) Kill() {
	_ = w.process.Process.Kill() // it may have exited
	<-w.exited
}

// Close kills the witness for good.
func (w *Witness) Close() error {
	if w.process != nil {
		w.Kill()
	}
	return w.agent.Close()
}

// Log returns what the witness has logged.
func (w *Witness) Log() string { return w.log.text() }

// journal is what a process wrote to its standard error.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(b)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}
