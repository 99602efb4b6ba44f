// Package sdnotify notifies systemd of the state of a service, by the protocol
// of sd_notify(3): one datagram per notification.
package sdnotify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier sends notifications to the service manager. The zero value and nil
// have no manager and send nothing.
type Notifier struct {
	socket   string
	watchdog time.Duration
	status   atomic.Pointer[string] // the last one
}

// New makes a Notifier for the manager's socket, the value of NOTIFY_SOCKET. It
// sends nothing if socket is empty.
func New(socket string) *Notifier { return &Notifier{socket: socket} }

// FromEnvironment takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the
// environment and clears them, so that no child can speak for the service. Call
// it once.
func FromEnvironment() (*Notifier, error) {
	socket, usec, pid := os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
	n := New(socket)
	if usec == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return n, nil
	}
	interval, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || interval <= 0 {
		return nil, fmt.Errorf("WATCHDOG_USEC is %q, want a number of microseconds", usec)
	}
	n.watchdog = time.Duration(interval) * time.Microsecond
	return n, nil
}

// Ready says that the service is up or, after Reloading, that the reload is
// done. An empty status leaves the one before.
func (n *Notifier) Ready(status string) error {
	if status == "" {
		return n.send("READY=1")
	}
	return n.send("READY=1\nSTATUS=" + status)
}

// Status describes the service in one line, for systemctl status. The same text
// again isn't sent.
func (n *Notifier) Status(text string) error {
	if n == nil {
		return nil
	}
	if last := n.status.Swap(&text); last != nil && *last == text {
		return nil
	}
	return n.send("STATUS=" + text)
}

// Reloading says that the service is reloading its configuration. Ready ends
// it.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	return n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Stopping says that the service is shutting down.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Watch says that the process is alive, three times per watchdog interval,
// until ctx ends. Without a watchdog it returns at once. It says nothing about
// the HSM: workers have their own deadlines, and a restart would not bring a
// token back.
func (n *Notifier) Watch(ctx context.Context) {
	if n == nil || n.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(n.watchdog / 3)
	defer ticker.Stop()
	for {
		_ = n.send("WATCHDOG=1") // if this fails, the watchdog acts
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (n *Notifier) send(state string) error {
	if n == nil || n.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}
