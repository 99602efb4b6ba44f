package worker

import (
	"net"
	"sync"
	"syscall"
)

// A message writes itself as a frame.
type message interface {
	appendFrame(dst []byte, id uint32) []byte
}

// An outbox sends frames over a connection, all that are ready with one write: whoever finds nobody writing writes for all, whoever comes
// meanwhile leaves its frame to that one. Sending never waits. What the socket doesn't take at once, because the other side doesn't read, is
// left to run. What can pile up is bounded by whoever sends: the pool by the depth it allows a worker, the worker by the requests it has.
type outbox struct {
	conn net.Conn
	raw  syscall.RawConn

	mu      sync.Mutex
	pending []byte
	spare   []byte
	writing bool
	idle    sync.Cond     // nobody is writing any more
	stuck   chan struct{} // what is pending is run's

	try  func(fd uintptr) bool // made once, so that a write allocates nothing
	out  []byte                // try's argument and results, the writer's alone
	took int
	err  error
}

// connection is a socket of which an outbox can ask for a write that doesn't wait.
type connection interface {
	net.Conn
	syscall.Conn
}

func newOutbox(conn connection) (*outbox, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	o := &outbox{conn: conn, raw: raw, stuck: make(chan struct{}, 1)}
	o.idle.L = &o.mu
	o.try = func(fd uintptr) bool {
		for {
			o.took, o.err = syscall.Write(int(fd), o.out)
			if o.err != syscall.EINTR {
				return true
			}
		}
	}
	return o, nil
}

// send queues the message and writes what is queued unless somebody is at it. A connection that fails tells its reader, not those who send.
func (o *outbox) send(m message, id uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = m.appendFrame(o.pending, id)
	if o.writing {
		return
	}
	o.writing = true
	for len(o.pending) > 0 {
		o.take()
		o.mu.Unlock()
		rest, failed := o.write()
		o.mu.Lock()
		if failed {
			o.pending, o.out = nil, nil
			break
		}
		if len(rest) > 0 {
			o.stuck <- struct{}{} // has room: only the writer puts one in, and it stays the writer until run took it
			return
		}
		o.spare = o.out[:0]
	}
	o.writing = false
	o.idle.Broadcast()
}

// flush waits until all that was sent is in the socket's hands, or the connection has failed, which its write deadline sees to.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing {
		o.idle.Wait()
	}
}

// take makes what is pending the writer's, and the buffer of the write before the one to fill next.
func (o *outbox) take() {
	o.out, o.pending, o.spare = o.pending, o.spare, nil
}

// write sends as much of out as the socket takes now.
func (o *outbox) write() (rest []byte, failed bool) {
	if err := o.raw.Write(o.try); err != nil {
		return nil, true
	}
	if o.err != nil && o.err != syscall.EAGAIN {
		return nil, true
	}
	o.out = o.out[max(o.took, 0):]
	return o.out, false
}

// run writes, waiting where it must, what send could not, until done is closed. It ends late only if the connection isn't closed then.
func (o *outbox) run(done <-chan struct{}) {
	for {
		select {
		case <-o.stuck:
			o.drain()
		case <-done:
			return
		}
	}
}

func (o *outbox) drain() {
	for {
		_, err := o.conn.Write(o.out)
		o.mu.Lock()
		o.out, o.spare = nil, nil
		if err != nil {
			o.pending = nil
		}
		if len(o.pending) == 0 {
			o.writing = false
			o.idle.Broadcast()
			o.mu.Unlock()
			return
		}
		o.take()
		o.mu.Unlock()
	}
}
