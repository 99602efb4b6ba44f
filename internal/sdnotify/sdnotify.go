// Package sdnotify tells systemd how the daemon is, by the protocol of
// sd_notify(3): one datagram for each piece of news.
package sdnotify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier sends news to the service manager. Its zero value and nil have no
// manager to send to and say nothing.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// FromEnvironment takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the
// environment and clears them, so that no child speaks for the daemon. Call it once.
func FromEnvironment() (*Notifier, error) {
	socket, usec, pid := os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
	n := &Notifier{socket: socket}
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

// Ready says that the daemon serves; after Reloading, that it is done with that.
func (n *Notifier) Ready(status string) error { return n.send("READY=1\nSTATUS=" + status) }

// Reloading says that the configuration is being read again; Ready ends it.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	return n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
}

// Stopping says that the daemon drains and will end.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Watch says until ctx ends that the process is alive, three times in each watchdog
// interval. Without a watchdog it returns at once. It tells nothing about the HSM:
// workers have deadlines of their own, and a restart would not bring a token back.
func (n *Notifier) Watch(ctx context.Context) {
	if n == nil || n.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(n.watchdog / 3)
	defer ticker.Stop()
	for {
		_ = n.send("WATCHDOG=1") // silence is what the watchdog reacts to
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
		return fmt.Errorf("tell systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}
