package connlimit

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

func listen(t *testing.T, full WhenFull) (*Listener, func() net.Conn) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	limited := NewListener(l, 1, full)
	t.Cleanup(func() { limited.Close() })
	return limited, func() net.Conn {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestQueue(t *testing.T) {
	l, dial := listen(t, Queue)
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	dial()
	second := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		second <- c
	}()
	first.Close()
	first.Close()
	(<-second).Close()
	if len(l.places) != 0 {
		t.Errorf("%d places are taken", len(l.places))
	}
}

func TestCloseWakesAFullListener(t *testing.T) {
	l, dial := listen(t, Queue)
	dial()
	if _, err := l.Accept(); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := l.Accept()
		failed <- err
	}()
	l.Close()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestRefuse(t *testing.T) {
	l, dial := listen(t, Refuse)
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial()
	first := <-accepted
	if _, err := dial().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the second one: %v", err)
	}
	first.Close()
	dial()
	<-accepted
}
