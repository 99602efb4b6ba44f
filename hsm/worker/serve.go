package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// FD is the descriptor on which a worker finds the pool's socket.
const FD = 3

const (
	// failTimeout is how long a failing worker tries to tell the pool why.
	failTimeout = 100 * time.Millisecond
	// confirmInterval bounds how long a key that was destroyed still signs through
	// its session copy.
	confirmInterval = time.Second
)

// Serve is a worker's whole life: it takes its settings from the first frame,
// opens the token, logs in once, reports the inventory, and answers requests
// until the pool closes the connection. Serve closes the socket, which is
// os.NewFile(FD, "pool") in a worker process. A nil sandbox takes nothing.
//
// It changes the process for good: no core files, not dumpable, and SIGTERM,
// SIGINT, SIGHUP and SIGUSR1 ignored: the pool decides when it exits, and a
// service manager sends the daemon's signals to its workers too. A process
// can't use a module again that has failed, and calls into it may never return:
// Serve then returns without waiting for them, and the caller must exit at
// once. The pool has been sent the error.
func Serve(ctx context.Context, conn *os.File, sandbox Sandbox) error {
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1) // not Ignore, which a PIN command would inherit
	defer signal.Stop(ignored)
	if err := harden(); err != nil {
		return err
	}
	s, err := newServer(conn)
	if err != nil {
		return err
	}
	s.sandbox = sandbox
	stop := context.AfterFunc(ctx, func() { s.fail(context.Cause(ctx)) })
	defer stop()
	// Calls into the module have threads of their own. Go's part is microseconds a
	// signature. With one processor for it, no second thread wakes up to look for
	// work at each frame, which would cost a third of a P-256 signature in
	// SoftHSM.
	runtime.GOMAXPROCS(1)
	return s.serve(ctx)
}

// Sandbox takes from this process what the module's code must not have.
type Sandbox interface {
	// Confine is called once, after the PIN has been read and before the module at
	// path is loaded. After an error the module isn't loaded.
	Confine(path string) error
}

// server is the worker's side of the connection.
type server struct {
	conn    *net.UnixConn
	frames  *wire.Reader
	out     *wire.Writer
	sandbox Sandbox // nil for none
	host    *host

	jobs    chan job
	signers sync.WaitGroup

	failing sync.Once
	cause   error // why this side closed the connection; set before it does
	failed  chan struct{}
}

// job is a request that no longer needs the reader's buffer.
type job struct {
	id      uint32
	kind    wire.Kind
	request wire.SignRequest
	payload []byte
	arrived time.Time
}

// newJobs is the queue for the sessions. The pool keeps to the depth with
// callers' requests, and may send its own probe on top.
func newJobs(depth int) chan job { return make(chan job, depth+1) }

const startedByDaemon = "only the daemon can start a worker"

func newServer(file *os.File) (*server, error) {
	conn, err := net.FileConn(file)
	_ = file.Close() // conn has a descriptor of its own
	if err != nil {
		return nil, fmt.Errorf("hsm/worker: descriptor %d is not the pool's socket: %w; %s", FD, err, startedByDaemon)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		_ = conn.Close()
		return nil, fmt.Errorf("hsm/worker: descriptor %d is not the pool's socket; %s", FD, startedByDaemon)
	}
	out, err := wire.NewWriter(unixConn)
	if err != nil {
		return nil, err
	}
	frames := wire.NewReader(unixConn, wire.MaxRequest)
	return &server{conn: unixConn, out: out, frames: frames, failed: make(chan struct{})}, nil
}

func (s *server) serve(ctx context.Context) error {
	writing := make(chan struct{})
	written := make(chan struct{})
	go func() { defer close(written); s.out.Run(writing) }()
	defer func() { close(writing); _ = s.conn.Close(); <-written }()

	h, err := s.hello(ctx)
	if err != nil {
		s.fail(err)
		return s.cause
	}
	s.jobs = newJobs(h.Depth)
	for range s.host.sessions {
		s.signers.Go(s.sign)
	}
	var admin sync.WaitGroup
	adminJobs := make(chan job, h.Depth)
	admin.Go(func() { s.administer(ctx, adminJobs) })

	err = s.read(adminJobs)
	close(s.jobs)
	close(adminJobs)
	if err != nil {
		s.fail(err)
		return s.cause
	}
	return s.finish(&admin)
}

// hello takes the settings, opens the token and reports its keys.
func (s *server) hello(ctx context.Context) (wire.Hello, error) {
	f, err := s.frames.Next()
	if err != nil {
		return wire.Hello{}, err
	}
	if f.Kind != wire.KindHello {
		return wire.Hello{}, wire.Malformed("the first frame is of kind %#x", f.Kind)
	}
	h, err := wire.DecodeHello(f.Payload)
	if err != nil {
		return wire.Hello{}, err
	}
	err = openUnlessAbandoned(s.conn, func() error {
		s.host, err = openHost(ctx, h, s.sandbox)
		return err
	})
	if err != nil {
		return wire.Hello{}, err
	}
	inventory, err := s.host.inventory()
	if err != nil {
		return wire.Hello{}, err
	}
	s.out.Send(wire.Raw{Kind: wire.KindReady, Payload: inventory}, f.ID)
	return h, nil
}

// read queues requests until the pool closes the connection, which isn't an
// error, or something fails.
func (s *server) read(admin chan<- job) error {
	for {
		f, err := s.frames.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.dispatch(f, admin); err != nil {
			return err
		}
	}
}

func (s *server) dispatch(f wire.Frame, admin chan<- job) error {
	j := job{id: f.ID, kind: f.Kind, arrived: time.Now()}
	queue := (chan<- job)(s.jobs)
	switch f.Kind {
	case wire.KindSign:
		request, err := wire.ParseSignRequest(f.Payload)
		if err != nil {
			return err
		}
		request.Digest, request.Message = bytes.Clone(request.Digest), bytes.Clone(request.Message)
		j.request = request
	case wire.KindGenerate, wire.KindDiscard, wire.KindInventory:
		queue = admin
		j.payload = append([]byte(nil), f.Payload...)
	case wire.KindPing:
		s.out.Send(wire.Raw{Kind: wire.KindPong}, f.ID)
		return nil
	default:
		return wire.Malformed("a request of kind %#x", f.Kind)
	}
	select {
	case queue <- j:
		return nil
	default:
		return wire.Malformed("more requests than the agreed depth")
	}
}

// sign is one session's loop.
func (s *server) sign() {
	for j := range s.jobs {
		began := time.Now()
		signature, err := s.host.sign(j.request)
		if err != nil {
			s.answerError(j.id, err)
			continue
		}
		s.out.Send(wire.SignReply{Wait: began.Sub(j.arrived), Module: time.Since(began), Signature: signature}, j.id)
	}
}

// administer does one thing at a time, because key generation races with
// finding objects in other threads.
func (s *server) administer(ctx context.Context, jobs <-chan job) {
	var confirm <-chan time.Time
	if s.host.copies {
		ticker := time.NewTicker(confirmInterval)
		defer ticker.Stop()
		confirm = ticker.C
	}
	for {
		select {
		case j, ok := <-jobs:
			if !ok {
				return
			}
			s.administerOne(j)
		case <-confirm:
			if err := s.host.confirm(ctx); hsm.IsFatal(err) {
				s.failModule(err)
			}
		}
	}
}

func (s *server) administerOne(j job) {
	reply, payload, err := wire.KindReady, []byte(nil), error(nil)
	switch j.kind {
	case wire.KindGenerate:
		reply = wire.KindKey
		payload, err = s.host.generate(j.payload)
	case wire.KindDiscard:
		payload, err = s.host.discard(j.payload)
	default:
		payload, err = s.host.inventory()
	}
	if err != nil {
		s.answerError(j.id, err)
		return
	}
	s.out.Send(wire.Raw{Kind: reply, Payload: payload}, j.id)
}

// answerError answers a request with an error, and ends the worker if the error
// means that the module can't be relied on.
func (s *server) answerError(id uint32, err error) {
	if hsm.IsFatal(err) {
		s.failModule(err)
		return
	}
	s.out.Send(wire.NewErrorReply(err), id)
}

// failModule is fail for an error of the module. What the next worker needs is
// freed first, since the pool kills this one when it has the error.
func (s *server) failModule(err error) {
	s.host.abandon()
	s.fail(err)
}

// fail tells the pool why the worker exits, if it still listens, and closes the
// connection, which ends read. Only the first error counts.
func (s *server) fail(err error) {
	s.failing.Do(func() {
		s.cause = err
		reply := wire.NewErrorReply(err)
		reply.Fatal = true
		_ = s.conn.SetWriteDeadline(time.Now().Add(failTimeout))
		s.out.Send(reply, 0)
		s.out.Flush()
		_ = s.conn.CloseWrite()
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
		close(s.failed)
	})
	<-s.failed
}

// finish ends a worker whose pool has closed the connection: it makes the last
// signatures, then closes the token, so that a device that counts its sessions
// gets them back. If the module hangs, only the end of the process can help.
func (s *server) finish(admin *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.signers.Wait()
		admin.Wait()
		s.out.Flush()
		s.host.close()
	}()
	select {
	case <-done:
	case <-s.failed:
		return s.cause
	case <-time.After(wire.StopGrace):
	}
	return nil
}
