package ship

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/audit"
)

// Socket is the Unix datagram socket of a syslog daemon, such as /dev/log.
type Socket struct{ Path string }

func (s Socket) String() string { return "syslog:" + s.Path }

func (s Socket) connect(ctx context.Context) (connection, error) {
	bound, err := os.Stat(s.Path)
	if err != nil {
		return nil, err
	}
	conn, err := dialSocket(ctx, s.Path)
	if err != nil {
		return nil, err
	}
	c := &socketConnection{path: s.Path, bound: bound, conn: conn, form: newSyslogForm()}
	raw, err := conn.SyscallConn()
	if err == nil {
		c.raw = raw
		_ = conn.SetWriteBuffer(2 * audit.MaxRecord) // the longest line must fit
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func dialSocket(ctx context.Context, path string) (*net.UnixConn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unixgram", path)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

type socketConnection struct {
	path  string
	bound os.FileInfo // the socket's file when the connection was made
	conn  *net.UnixConn
	raw   syscall.RawConn
	form  syslogForm
	buf   []byte
	sent  int64
	read  int64 // that the receiver has read
}

// send waits while the receiver's queue is full.
func (c *socketConnection) send(ctx context.Context, lines []audit.Line) (rejection, error) {
	stop, err := limitWrites(ctx, c.conn)
	if err != nil {
		return rejection{}, err
	}
	defer stop()
	for _, line := range lines {
		c.buf = c.form.append(c.buf[:0], line)
		if _, err := c.conn.Write(c.buf); err != nil {
			return rejection{}, sendError(err, line)
		}
		c.sent++
	}
	return rejection{}, nil
}

func sendError(err error, line audit.Line) error {
	if errors.Is(err, unix.EMSGSIZE) {
		return fmt.Errorf("record %d has %d bytes: %w; raise net.core.wmem_max", line.Seq, len(line.Text), err)
	}
	return err
}

// delivered asks the kernel whether the receiver has read everything from the
// socket. The kernel also drops what is unread when the receiver closes the
// socket, so the receiver must still be there afterwards.
func (c *socketConnection) delivered() (int64, error) {
	if c.read == c.sent {
		return c.read, nil
	}
	unread, err := outstanding(c.raw, unix.SIOCOUTQ)
	if err != nil || unread > 0 {
		return c.read, err
	}
	if err := c.stillThere(); err != nil {
		return c.read, err
	}
	c.read = c.sent
	return c.read, nil
}

var errReplaced = errors.New("the receiver closed the socket; lines that it may not have read go out again")

// stillThere returns an error if the receiver has closed the socket or started
// another one since.
func (c *socketConnection) stillThere() error {
	now, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	if !os.SameFile(c.bound, now) || !c.bound.ModTime().Equal(now.ModTime()) {
		return errReplaced
	}
	probe, err := dialSocket(context.Background(), c.path)
	if err != nil {
		return err
	}
	return probe.Close()
}

// outstanding returns how many bytes of a socket the other end has not taken.
func outstanding(raw syscall.RawConn, request uint) (n int, err error) {
	failed := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), request) })
	return n, errors.Join(failed, err)
}

func (c *socketConnection) close() { c.conn.Close() }
