package server

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/assertd/assertd/ipc"
)

// How much of a request is read after an answer that came before its end. A
// caller that writes all of its request before it reads would otherwise get a
// broken pipe in place of the answer.
const (
	lingerBytes = 8 << 20
	lingerTime  = 2 * time.Second
)

// smallBody reports whether net/http itself reads the rest of a body before it
// answers, and so can keep the connection open.
func smallBody(r *http.Request) bool {
	return 0 <= r.ContentLength && r.ContentLength <= ipc.MaxBodyBytes
}

// writeEarly sends a response before the whole request was read, and then reads
// the rest of the request. It is the connection's last.
func (s *Server) writeEarly(resp response, w http.ResponseWriter, c *conn, r *http.Request, id string) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil { // else net/http reads before it writes
		s.opts.Logger.Error("answer while the caller writes", "request_id", id, "error", err)
	}
	resp.close = true
	resp.write(w, id)
	if control.Flush() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return // the peer is gone
	}
	_, err := io.CopyN(io.Discard, r.Body, lingerBytes)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.linger() // the framing is wrong, so the body has no end
	}
}

// linger ends the response and reads until the peer stops sending.
func (c *conn) linger() {
	if c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, c.UnixConn, lingerBytes) // net/http closes the connection next
	}
}
