package server

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer"
)

// spareTime is how long a caller that is accepted with the spare descriptor has
// for its request. Meanwhile no one else on its socket is accepted.
const spareTime = 100 * time.Millisecond

// spare is a descriptor in reserve. When the process has no others, it serves
// to tell newcomers so: they would otherwise wait in the kernel's queue.
type spare struct {
	mu   sync.Mutex
	file *os.File // nil if it could not be opened
}

func newSpare() *spare {
	s := &spare{}
	s.reserve()
	return s
}

func (s *spare) reserve() { s.file, _ = os.Open(os.DevNull) }

// close gives the descriptor up for good.
func (s *spare) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file.Close() // of a nil file, it does nothing
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// refuse accepts one connection with the spare descriptor, sends it a response
// and closes it. It reports whether there was a connection to refuse.
func (s *spare) refuse(l *peer.Listener, response func() []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file.Close()
	defer s.reserve()
	_ = l.SetDeadline(time.Now().Add(spareTime)) // another socket may have taken the descriptor
	c, err := l.AcceptUnix()
	_ = l.SetDeadline(time.Time{})
	if err != nil {
		return false
	}
	defer c.Close()
	if limitTime(c, spareTime) {
		answerUnread(c, response())
	}
	return true
}

// noDescriptors returns the response for a caller that the server can't take.
func (s *Server) noDescriptors() []byte {
	return s.wholeResponse(ipc.NewProblem(ipc.CodeOverloaded,
		"The daemon has no file descriptors left for more connections. Reuse connections, and close idle ones.").WithRetryAfter(retrySoon))
}
