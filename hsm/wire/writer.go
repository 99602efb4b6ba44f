package wire

import (
	"net"
	"sync"
	"syscall"
)

// A Message encodes itself as a frame.
type Message interface {
	AppendFrame(dst []byte, id uint32) []byte
}

// Raw is a message whose payload is already encoded.
type Raw struct {
	Kind    Kind
	Payload []byte
}

// AppendFrame implements Message.
func (r Raw) AppendFrame(dst []byte, id uint32) []byte {
	return AppendFrame(dst, r.Kind, id, r.Payload)
}

// A Writer sends frames over a connection, all that are ready with one write:
// the first sender writes for everyone who sends in the meantime. Send never
// waits: what the socket doesn't accept at once, because the other side doesn't
// read, is left to Run. The senders bound what can pile up: the pool by the
// depth it allows a worker, the worker by the requests it has.
type Writer struct {
	conn net.Conn
	raw  syscall.RawConn

	mu      sync.Mutex
	pending []byte
	spare   []byte
	writing bool
	idle    sync.Cond     // writing became false
	blocked chan struct{} // the socket is full: Run writes the rest

	attempt func(fd uintptr) bool // made once, so that a write allocates nothing
	out     []byte                // attempt's argument and results, owned by the one who writes
	written int
	err     error
}

// Conn is a socket on which a Writer can write without waiting.
type Conn interface {
	net.Conn
	syscall.Conn
}

// NewWriter returns a Writer for the connection.
func NewWriter(conn Conn) (*Writer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &Writer{conn: conn, raw: raw, blocked: make(chan struct{}, 1)}
	w.idle.L = &w.mu
	w.attempt = func(fd uintptr) bool {
		for {
			w.written, w.err = syscall.Write(int(fd), w.out)
			if w.err != syscall.EINTR {
				return true
			}
		}
	}
	return w, nil
}

// Send queues the message and writes the queue unless another sender is writing.
// It returns no error: a connection that fails is reported to its reader.
func (w *Writer) Send(m Message, id uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = m.AppendFrame(w.pending, id)
	if w.writing {
		return
	}
	w.writing = true
	for len(w.pending) > 0 {
		w.swap()
		w.mu.Unlock()
		rest, failed := w.write()
		w.mu.Lock()
		if failed {
			w.pending, w.out = nil, nil
			break
		}
		if len(rest) > 0 {
			w.blocked <- struct{}{} // has room: only the one who writes sends, and stays it until Run takes over
			return
		}
		w.spare = w.out[:0]
	}
	w.writing = false
	w.idle.Broadcast()
}

// Flush waits until the socket has everything that was sent, or the connection
// has failed, which a write deadline guarantees.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.writing {
		w.idle.Wait()
	}
}

// swap moves what is pending to out, and reuses the previous write's buffer.
func (w *Writer) swap() {
	w.out, w.pending, w.spare = w.pending, w.spare, nil
}

// write writes as much of out as the socket accepts now.
func (w *Writer) write() (rest []byte, failed bool) {
	if err := w.raw.Write(w.attempt); err != nil {
		return nil, true
	}
	if w.err != nil && w.err != syscall.EAGAIN {
		return nil, true
	}
	w.out = w.out[max(w.written, 0):]
	return w.out, false
}

// Run writes what Send could not, until done is closed. Close the connection
// too: Run may be blocked in a write.
func (w *Writer) Run(done <-chan struct{}) {
	for {
		select {
		case <-w.blocked:
			w.drain()
		case <-done:
			return
		}
	}
}

func (w *Writer) drain() {
	for {
		_, err := w.conn.Write(w.out)
		w.mu.Lock()
		w.out, w.spare = nil, nil
		if err != nil {
			w.pending = nil
		}
		if len(w.pending) == 0 {
			w.writing = false
			w.idle.Broadcast()
			w.mu.Unlock()
			return
		}
		w.swap()
		w.mu.Unlock()
	}
}
