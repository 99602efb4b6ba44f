package ship

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/audit"
)

// Server is a syslog server that speaks TLS (RFC 5425).
type Server struct {
	Address string // host and port
	TLS     Certificates
}

func (s Server) String() string { return "syslog:tls://" + s.Address }

func (s Server) connect(ctx context.Context) (connection, error) {
	settings, err := s.TLS.config()
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	tcp, err := d.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		tcp.Close()
		return nil, err
	}
	settings.ServerName = host
	counted := &countedConn{Conn: tcp}
	conn := tls.Client(counted, settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		tcp.Close()
		return nil, fmt.Errorf("TLS: %w; check the server's certificate, and ca, cert and key in audit.ship", err)
	}
	return newServerConnection(conn, counted)
}

// countedConn counts what was written to the kernel. Only the goroutine that
// sends uses the count.
type countedConn struct {
	net.Conn
	written int64
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written += int64(n)
	return n, err
}

type serverConnection struct {
	conn    *tls.Conn
	tcp     *countedConn
	raw     syscall.RawConn
	form    syslogForm
	buf     []byte
	message []byte
	batches []batchEnd
	sent    int64 // lines
	arrived int64 // lines
	closed  chan error
}

// batchEnd is the end of a batch in the stream.
type batchEnd struct {
	written, lines int64
	acknowledged   time.Time // when the receiver's kernel had it; zero if it has not
}

func newServerConnection(conn *tls.Conn, tcp *countedConn) (*serverConnection, error) {
	raw, err := tcp.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	c := &serverConnection{conn: conn, tcp: tcp, raw: raw, form: newSyslogForm(), closed: make(chan error, 1)}
	go func() { c.closed <- awaitEnd(conn) }()
	return c, nil
}

// awaitEnd waits until the server ends the connection. A syslog server sends
// nothing.
func awaitEnd(conn *tls.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	if err == nil {
		err = io.EOF
	}
	return fmt.Errorf("the server closed the connection: %w; see its log", err)
}

// send writes the lines with octet counting (RFC 5425 section 4.3).
func (c *serverConnection) send(ctx context.Context, lines []audit.Line) (rejection, error) {
	stop, err := limitWrites(ctx, c.conn)
	if err != nil {
		return rejection{}, err
	}
	defer stop()
	c.buf = c.buf[:0]
	for _, line := range lines {
		c.message = c.form.append(c.message[:0], line)
		c.buf = strconv.AppendInt(c.buf, int64(len(c.message)), 10)
		c.buf = append(c.buf, ' ')
		c.buf = append(c.buf, c.message...)
	}
	if _, err := c.conn.Write(c.buf); err != nil {
		return rejection{}, err
	}
	c.sent += int64(len(lines))
	c.batches = append(c.batches, batchEnd{written: c.tcp.written, lines: c.sent})
	return rejection{}, nil
}

// delivered counts the batches that were acknowledged long enough ago.
func (c *serverConnection) delivered() (int64, error) {
	select {
	case err := <-c.closed:
		c.closed <- err
		return c.arrived, err
	default:
	}
	unacknowledged, err := outstanding(c.raw, unix.SIOCOUTQ)
	if err != nil {
		return c.arrived, err
	}
	now := time.Now()
	for i := range c.batches {
		if b := &c.batches[i]; b.acknowledged.IsZero() && b.written <= c.tcp.written-int64(unacknowledged) {
			b.acknowledged = now
		}
	}
	for len(c.batches) > 0 && !c.batches[0].acknowledged.IsZero() && now.Sub(c.batches[0].acknowledged) >= settled {
		c.arrived, c.batches = c.batches[0].lines, c.batches[1:]
	}
	return c.arrived, nil
}

func (c *serverConnection) close() {
	if err := c.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		c.tcp.Close()
	}
}
