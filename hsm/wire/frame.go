package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
)

// A Frame is the unit of the protocol. The ID ties a reply to its request.
type Frame struct {
	Kind    Kind
	ID      uint32
	Payload []byte
}

// Kind says what a frame's payload is.
type Kind uint8

// Requests have the high bit clear, replies have it set.
const (
	KindHello     Kind = 0x01
	KindSign      Kind = 0x02
	KindGenerate  Kind = 0x03
	KindInventory Kind = 0x04
	KindPing      Kind = 0x05
	KindDiscard   Kind = 0x06

	KindReady     Kind = 0x81
	KindSignature Kind = 0x82
	KindKey       Kind = 0x83
	KindPong      Kind = 0x85
	KindError     Kind = 0xff
)

// Limits of a frame's length field, in bytes.
const (
	MaxRequest = 128 << 10 // pool to worker: the largest message to sign plus overhead
	MaxReply   = 16 << 20  // worker to pool: three times an inventory of 10,000 keys with certificates
)

const (
	lengthSize  = 4     // the length counts the bytes after it
	idSize      = 1 + 4 // kind and ID
	headerSize  = lengthSize + idSize
	readerSize  = 64 << 10 // one read takes in a thousand signatures
	growthChunk = 1 << 20  // a frame's buffer grows as bytes arrive, never on the word of its length
)

// ErrMalformed means that the other side broke the protocol. Nothing after that
// can be trusted, so the connection must be closed.
var ErrMalformed = errors.New("malformed frame")

// Malformed returns an ErrMalformed with details.
func Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// AppendFrame appends a frame to dst. The payload may come in parts, which
// saves the caller joining them first.
func AppendFrame(dst []byte, k Kind, id uint32, payload ...[]byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(k))
	dst = binary.BigEndian.AppendUint32(dst, id)
	for _, part := range payload {
		dst = append(dst, part...)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-lengthSize))
	return dst
}

// A Reader reads frames from a stream.
type Reader struct {
	r     *bufio.Reader
	limit int // of the length field
	skip  int // bytes of the previous frame, still in r's buffer
}

// NewReader returns a Reader that refuses frames longer than limit: MaxRequest
// in a worker, MaxReply in the pool.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, readerSize), limit: limit}
}

// Next returns the next frame; its payload is valid until the next call. io.EOF
// means that the stream ended between two frames. After any other error the
// stream is useless.
func (fr *Reader) Next() (Frame, error) {
	if _, err := fr.r.Discard(fr.skip); err != nil {
		return Frame{}, err
	}
	fr.skip = 0
	prefix, err := fr.r.Peek(lengthSize)
	if err != nil {
		return Frame{}, between(err, len(prefix))
	}
	length := int(binary.BigEndian.Uint32(prefix))
	if length < idSize || length > fr.limit {
		return Frame{}, Malformed("length %d isn't between %d and %d", length, idSize, fr.limit)
	}
	body, err := fr.body(length)
	if err != nil {
		return Frame{}, between(err, headerSize)
	}
	return Frame{Kind: Kind(body[0]), ID: binary.BigEndian.Uint32(body[1:]), Payload: body[idSize:]}, nil
}

// body returns the bytes after the length: in place if they fit the buffer,
// otherwise in memory of their own.
func (fr *Reader) body(length int) ([]byte, error) {
	if lengthSize+length <= readerSize {
		whole, err := fr.r.Peek(lengthSize + length)
		if err != nil {
			return nil, err
		}
		fr.skip = len(whole)
		return whole[lengthSize:], nil
	}
	if _, err := fr.r.Discard(lengthSize); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(min(length, growthChunk))
	if n, err := io.CopyN(&b, fr.r, int64(length)); n < int64(length) {
		return nil, err
	}
	return b.Bytes(), nil
}

// between keeps io.EOF only where the stream ended between two frames.
func between(err error, seen int) error {
	if errors.Is(err, io.EOF) && seen > 0 {
		return Malformed("the stream ended inside it")
	}
	return err
}

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

// Send queues the message and writes the queue unless another sender is
// writing. It returns no error: a connection that fails is reported to its
// reader.
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
