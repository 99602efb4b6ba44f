package sdnotify

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// manager is the service manager's end of the protocol.
func manager(t *testing.T, name string) *net.UnixConn {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", name)
	return conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestNotifications(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@assertd-sdnotify-test-" + strconv.Itoa(os.Getpid())} {
		conn := manager(t, name)
		n, err := FromEnvironment()
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv("NOTIFY_SOCKET") != "" {
			t.Error("NOTIFY_SOCKET is left for children")
		}
		for _, step := range []struct {
			send func() error
			want string
		}{
			{func() error { return n.Ready("serving") }, "READY=1\nSTATUS=serving"},
			{n.Reloading, "RELOADING=1\nMONOTONIC_USEC="},
			{n.Stopping, "STOPPING=1"},
		} {
			if err := step.send(); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, conn); !strings.HasPrefix(got, step.want) {
				t.Errorf("got %q, want %q", got, step.want)
			}
		}
	}
}

func TestWatchdog(t *testing.T) {
	conn := manager(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	n, err := FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Watch(ctx) }()
	for range 3 {
		if got := receive(t, conn); got != "WATCHDOG=1" {
			t.Errorf("got %q", got)
		}
	}
	stop()
	<-ended
}

func TestWithoutManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", "1") // meant for another process
	n, err := FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	n.Watch(t.Context()) // returns at once
	var none *Notifier
	none.Watch(t.Context())
	for _, err := range []error{n.Ready(""), n.Reloading(), n.Stopping(), none.Ready(""), New("").Ready("")} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestBadWatchdog(t *testing.T) {
	for _, value := range []string{"soon", "0", "-1"} {
		t.Setenv("WATCHDOG_USEC", value)
		t.Setenv("WATCHDOG_PID", "")
		if _, err := FromEnvironment(); err == nil {
			t.Errorf("WATCHDOG_USEC=%s is accepted", value)
		}
	}
}

func TestManagerGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	n, err := FromEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	if n.Stopping() == nil {
		t.Error("no error without a manager")
	}
}
