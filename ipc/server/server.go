package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/assertd/assertd/internal/connlimit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc/peer"
)

// ErrDrainTimeout means that a drain took too long, and requests in flight were
// cut off.
var ErrDrainTimeout = errors.New("requests in flight were cut off")

// Server serves the API on Unix sockets. Make it with [New].
//
// Web pages can't reach a Unix socket. The server refuses requests with an
// Origin header anyway. It ignores the Host header.
type Server struct {
	service    Service
	opts       Options
	identifier *peer.Identifier
	conns      *connlimit.Set[connOwner, *conn]
	refusals   *refusals
	spare      *spare
	inFlight   inFlight
	log        throttledLog
	draining   atomic.Bool
}

// New makes a server; it starts nothing.
func New(service Service, opts Options) *Server {
	opts = opts.withDefaults()
	return &Server{
		service:    service,
		opts:       opts,
		identifier: peer.NewIdentifier(peer.ReadIDMap(), opts.Family, opts.Now),
		conns:      connlimit.NewSet[connOwner, *conn](connlimit.Limits[connOwner]{Places: opts.MaxConnections}),
		refusals:   newRefusals(opts.MaxConnections),
		log:        throttledLog{opts.Logger, logging.NewThrottle(opts.Now)},
	}
}

// Connections returns how many connections are open.
func (s *Server) Connections() int { return s.conns.Len() }

// MaxConnections returns how many connections can be open.
func (s *Server) MaxConnections() int { return s.opts.MaxConnections }

// Serve serves the listeners until ctx ends or one of them fails. Then it
// drains: it closes the listeners, answers new requests with
// [ipc.CodeDraining], waits for the requests in flight, and closes idle
// connections. It returns nil after a complete drain, and [ErrDrainTimeout] if
// some requests took too long. It always closes the listeners. Call it once.
func (s *Server) Serve(ctx context.Context, listeners ...*peer.Listener) error {
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	s.spare = newSpare()
	defer s.spare.close()
	defer s.refusals.wait()
	web := s.webServer(requests)
	failed := make(chan error, len(listeners))
	var serving sync.WaitGroup
	for _, l := range listeners {
		serving.Go(func() {
			if err := web.Serve(acceptor{l, s}); !s.draining.Load() {
				failed <- fmt.Errorf("serve %s: %w", l.Path(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.draining.Store(true)
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	err = errors.Join(err, s.drain(web, abandon))
	serving.Wait()
	return err
}

func (s *Server) webServer(requests context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:                      s,
		Protocols:                    protocols,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            s.opts.HeaderTimeout,
		ReadTimeout:                  s.opts.BodyTimeout,
		WriteTimeout:                 s.opts.WriteTimeout,
		IdleTimeout:                  s.opts.IdleTimeout,
		MaxHeaderBytes:               s.opts.MaxHeaderBytes,
		ErrorLog:                     log.New(webLog{s.opts.Logger}, "", 0),
		BaseContext:                  func(net.Listener) context.Context { return requests },
		ConnContext:                  connContext,
		ConnState:                    trackState,
	}
}

// drain waits for the handlers, and then for their responses to be sent. It
// cuts off whatever takes longer than the drain timeout.
func (s *Server) drain(web *http.Server, abandon func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.DrainTimeout)
	defer cancel()
	_ = s.inFlight.wait(ctx)
	s.conns.DropIf((*conn).unused) // Shutdown would wait for those
	_ = web.Shutdown(ctx)          // the listeners are already closed
	if ctx.Err() == nil {          // else one of the two timed out
		return nil
	}
	abandon()
	return errors.Join(ErrDrainTimeout, web.Close())
}

// newRequestID returns 24 hexadecimal digits. IDs that peers send are not used:
// they would put text from the peer into the daemon's log.
func (s *Server) newRequestID() string {
	var id [12]byte
	if _, err := io.ReadFull(s.opts.Random, id[:]); err != nil {
		s.opts.Logger.Error("no randomness for request IDs", "error", err)
	}
	return hex.EncodeToString(id[:])
}

// inFlight counts the requests that handlers are working on.
type inFlight struct {
	mu    sync.Mutex
	count int
	empty chan struct{} // closed when count drops to 0; nil unless wait was called
}

func (f *inFlight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
}

func (f *inFlight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if f.count == 0 && f.empty != nil {
		close(f.empty)
		f.empty = nil
	}
}

// wait returns when no handler is working. Requests that come later find the
// server draining.
func (f *inFlight) wait(ctx context.Context) error {
	f.mu.Lock()
	if f.count == 0 {
		f.mu.Unlock()
		return nil
	}
	f.empty = make(chan struct{})
	empty := f.empty
	f.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
