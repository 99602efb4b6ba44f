package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/sdnotify"
)

// signals are the requests that a daemon gets by signal, except the one to
// stop.
type signals struct {
	reload chan os.Signal // SIGHUP
	logs   chan os.Signal // SIGUSR1
}

// catchSignals catches the signals; handle acts on those caught before it.
func catchSignals() *signals {
	s := &signals{reload: make(chan os.Signal, 1), logs: make(chan os.Signal, 1)}
	signal.Notify(s.reload, syscall.SIGHUP)
	signal.Notify(s.logs, syscall.SIGUSR1)
	return s
}

func (s *signals) stop() {
	signal.Stop(s.reload)
	signal.Stop(s.logs)
}

// handlingWait is how long a stop waits for a reload or for log files to be
// reopened: neither ends while a disk hangs that it needs.
const handlingWait = 5 * time.Second

// handle reloads the configuration on each SIGHUP, and reopens the log files on
// each SIGUSR1, until end is called. A slow reload doesn't delay the log files,
// and neither delays a stop for more than handlingWait.
func (s *signals) handle(d *daemon.Daemon, manager *sdnotify.Notifier, logger hclog.Logger) (end func()) {
	var handling sync.WaitGroup
	handling.Go(func() {
		for range s.reload {
			warn(logger, manager.Reloading())
			_ = d.Reload() // it has been logged, and the status has it
			warn(logger, manager.Ready(""))
		}
	})
	handling.Go(func() {
		for range s.logs {
			_ = d.ReopenLogs() // it has been logged
		}
	})
	return func() {
		s.stop()
		close(s.reload)
		close(s.logs)
		done := make(chan struct{})
		go func() { defer close(done); handling.Wait() }()
		select {
		case <-done:
		case <-time.After(handlingWait):
			logger.Warn("stopping in the middle of a reload; a file that it reads may be on a disk that hangs")
		}
	}
}
