package server

import (
	"bytes"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/ipc"
)

// refusalTime is how long a caller past the limit has to send its request, and
// as long again to read the answer.
const refusalTime = 2 * time.Second

// refusedAtOnce is how many connections past a limit may wait for their answer
// at a time.
func refusedAtOnce(limit int) int { return min(64, 4+limit/4) }

// refusals answers the connections past the limit. Each newcomer gets an
// answer, even when a crowd of them sends nothing: if too many wait, the one
// that has waited longest gets its answer before it has sent its request.
type refusals struct {
	places  chan struct{}
	waiters sync.WaitGroup

	mu      sync.Mutex
	waiting []*net.UnixConn // in order of arrival
}

func newRefusals(limit int) *refusals {
	return &refusals{places: make(chan struct{}, refusedAtOnce(limit))}
}

// refuse sends a response and closes the connection, without making its caller
// wait for the peer.
func (r *refusals) refuse(c *net.UnixConn, response []byte) {
	if !limitTime(c, refusalTime) {
		c.Close()
		return
	}
	select {
	case r.places <- struct{}{}:
	default:
		r.hurry(1)
		r.places <- struct{}{}
	}
	r.mu.Lock()
	r.waiting = append(r.waiting, c)
	r.mu.Unlock()
	r.waiters.Go(func() {
		defer func() { <-r.places }()
		defer r.leave(c)
		answerUnread(c, response)
		if c.CloseWrite() == nil { // the peer may write all of its request before it reads
			_, _ = io.CopyN(io.Discard, c, lingerBytes)
		}
	})
}

// hurry ends the wait of those that have waited longest.
func (r *refusals) hurry(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, len(r.waiting))
	for _, c := range r.waiting[:n] {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
	r.waiting = slices.Delete(r.waiting, 0, n)
}

func (r *refusals) leave(c *net.UnixConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Close()
	if i := slices.Index(r.waiting, c); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	}
}

// wait answers those that are left at once, and returns when they are gone.
func (r *refusals) wait() {
	r.hurry(cap(r.places))
	r.waiters.Wait()
}

// limitTime gives a peer this long to send its request, and as long again to
// read the response.
func limitTime(c *net.UnixConn, each time.Duration) bool {
	now := time.Now()
	return c.SetReadDeadline(now.Add(each)) == nil && c.SetWriteDeadline(now.Add(2*each)) == nil
}

// answerUnread sends a response after the header of a request, which it does
// not look at. The connection's deadline ends its wait for one.
func answerUnread(c *net.UnixConn, response []byte) {
	request := make([]byte, 0, 4<<10)
	for len(request) < cap(request) && !bytes.Contains(request, []byte("\r\n\r\n")) {
		n, err := c.Read(request[len(request):cap(request)])
		request = request[:len(request)+n]
		if err != nil {
			break
		}
	}
	_, _ = c.Write(response) // the connection is closed next, for any error
}

// tooMany returns the response for a caller past the limit on connections.
func (s *Server) tooMany() []byte {
	return s.wholeResponse(ipc.Problemf(ipc.CodeOverloaded, "The limit of %d open connections is reached. Reuse connections, and close idle ones.",
		s.opts.MaxConnections).WithRetryAfter(retrySoon))
}
