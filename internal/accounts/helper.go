package accounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/config"
)

// patience is how long a lookup can take. A directory service that is away may
// need most of it to say so.
const patience = 30 * time.Second

// ErrGone means that the helper has ended. A confined process can't start
// another one that reaches more than itself.
var ErrGone = errors.New("the process that looks up accounts has ended; restart the daemon")

// ErrNoAnswer means that the name services took too long.
var ErrNoAnswer = errors.New("the name services did not answer in time")

// Helper looks up accounts in another process. It is safe for concurrent use.
type Helper struct {
	process *exec.Cmd
	in      io.WriteCloser
	answers chan answer // closed when the helper has ended
	ended   chan error  // how it did

	mu    sync.Mutex // one question at a time
	stuck bool       // the last one has no answer yet
}

var _ config.Accounts = (*Helper)(nil)

// Start starts a helper with a command line that calls [Serve] with its
// standard input and output. It has this process's environment, which name
// services may use. Close ends it.
func Start(command []string) (*Helper, error) {
	process := exec.Command(command[0], command[1:]...)
	process.Stderr = os.Stderr
	in, inErr := process.StdinPipe()
	out, outErr := process.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start the process that looks up accounts: %w", err)
	}
	h := &Helper{process: process, in: in, answers: make(chan answer, 1), ended: make(chan error, 1)}
	go func() { // wait at once: this process reaps children that nobody waits for
		h.read(out)
		h.ended <- process.Wait()
	}()
	return h, nil
}

func (h *Helper) read(out io.Reader) {
	defer close(h.answers)
	for decoder := json.NewDecoder(out); ; {
		var a answer
		if decoder.Decode(&a) != nil {
			return
		}
		h.answers <- a
	}
}

// User implements config.Accounts.
func (h *Helper) User(name string) (uint32, error) { return h.ask(question{Name: name}) }

// Group implements config.Accounts.
func (h *Helper) Group(name string) (uint32, error) { return h.ask(question{Name: name, Group: true}) }

func (h *Helper) ask(q question) (uint32, error) {
	if err := q.check(); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stuck { // thousands of names must not each wait
		if _, err := h.await(0); err != nil {
			return 0, err
		}
	}
	if err := json.NewEncoder(h.in).Encode(q); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrGone, err)
	}
	a, err := h.await(patience)
	if err != nil {
		return 0, err
	}
	return a.result()
}

// await waits for the answer to the last question.
func (h *Helper) await(limit time.Duration) (answer, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case a, ok := <-h.answers:
		h.stuck = false
		if !ok {
			return answer{}, ErrGone
		}
		return a, nil
	case <-timer.C:
		h.stuck = true
		return answer{}, ErrNoAnswer
	}
}

func (a answer) result() (uint32, error) {
	switch {
	case a.Unknown:
		return 0, config.ErrUnknownAccount
	case a.Error != "":
		return 0, errors.New(a.Error)
	}
	return a.ID, nil
}

// Close ends the helper, also in the middle of a lookup.
func (h *Helper) Close() error {
	err := errors.Join(h.in.Close(), h.process.Process.Kill())
	for range h.answers { // until it has ended
	}
	var killed *exec.ExitError
	if waited := <-h.ended; !errors.As(waited, &killed) {
		err = errors.Join(err, waited)
	}
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
