// Package storetest runs real Redis servers for tests, as child processes with
// nothing on the disk but in a directory of the test.
package storetest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// patience is how long a server can take on a machine that is busy.
	patience = 30 * time.Second
	// attempts at a port that nobody else took meanwhile.
	attempts = 5
)

// Server is a server that a test can stop and start.
type Server struct {
	Address string // host and port, the same after each start

	t       testing.TB
	program string
	args    []string
	tls     *tls.Config // to ask it with; nil for none

	mu      sync.Mutex
	process *exec.Cmd
	ended   <-chan struct{} // closed when it has ended
}

// Start starts a Redis server without persistence, with more of its options,
// and stops it when the test ends. Password is that of its default user, "" for
// none.
func Start(t testing.TB, password string, options ...string) *Server {
	t.Helper()
	args := append([]string{"--save", "", "--appendonly", "no"}, options...)
	if password != "" {
		args = append(args, "--requirepass", password)
	}
	return start(t, "redis-server", nil, args...)
}

// StartTLS starts a server that speaks only TLS and wants a certificate of its
// clients, from the authority in the PEM file ca.
func StartTLS(t testing.TB, certificate, key, ca string) *Server {
	t.Helper()
	settings := &tls.Config{InsecureSkipVerify: true} // only to see that it answers
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	settings.Certificates = []tls.Certificate{pair}
	return start(t, "redis-server", settings, "--save", "", "--port", "0", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", ca)
}

// StartSentinel starts a sentinel that watches a primary alone and replaces it
// after a second.
func StartSentinel(t testing.TB, name, primary string) *Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(primary)
	file := filepath.Join(t.TempDir(), "sentinel.conf") // which it writes to
	text := fmt.Sprintf("sentinel monitor %s %s %s 1\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 5000\n", name, host, port, name, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, "redis-sentinel", nil, file)
}

// start starts a program on a port that is free.
func start(t testing.TB, program string, settings *tls.Config, args ...string) *Server {
	t.Helper()
	for range attempts {
		port, dir, option := freePort(t), t.TempDir(), "--port"
		if settings != nil {
			option = "--tls-port"
		}
		s := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t: t, program: program, tls: settings}
		s.args = slices.Concat(args, []string{option, strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--logfile", filepath.Join(dir, "log")})
		if s.tryStart() {
			t.Cleanup(s.Kill)
			return s
		}
	}
	t.Fatalf("%s doesn't start; install redis-server", program)
	return nil
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Restart starts the server again, empty.
func (s *Server) Restart() {
	s.t.Helper()
	if !s.tryStart() {
		s.t.Fatal("the server doesn't start again")
	}
}

// tryStart starts the process and waits until it answers. It returns false if
// it exits first.
func (s *Server) tryStart() bool {
	process := exec.Command(s.program, s.args...)
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := process.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = process.Wait(); close(ended) }()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case <-ended:
			return false
		default:
		}
		if s.answers() {
			s.mu.Lock()
			s.process, s.ended = process, ended
			s.mu.Unlock()
			return true
		}
	}
	_ = process.Process.Kill()
	<-ended
	return false
}

// answers reports whether the server answers at all: an error of it is an
// answer too.
func (s *Server) answers() bool {
	client := redis.NewClient(&redis.Options{Addr: s.Address, TLSConfig: s.tls, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, Protocol: 2})
	defer client.Close()
	err := client.Ping(context.Background()).Err()
	var refused redis.Error
	return err == nil || errors.As(err, &refused)
}

// Kill ends the server, with what it has.
func (s *Server) Kill() {
	s.mu.Lock()
	process, ended := s.process, s.ended
	s.process = nil
	s.mu.Unlock()
	if process != nil {
		_ = process.Process.Kill() // also one that is stopped
		<-ended
	}
}

// Pause stops the server without closing its connections (SIGSTOP).
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.t.Fatal("the server doesn't run")
	}
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
