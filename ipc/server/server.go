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

// ErrDrainTimeout means that answers in flight were cut off at the end of a drain.
var ErrDrainTimeout = errors.New("answers in flight were cut off")

// Server serves the API on Unix sockets. Make it with [New].
//
// It is proof against browsers and their kin by its transport alone, and refuses
// any request that carries Origin all the same. The Host header is not looked at.
type Server struct {
	service    Service
	opts       Options
	identifier *peer.Identifier
	conns      *connlimit.Set[connOwner, *conn]
	flight     flight
	log        throttledLog
	draining   atomic.Bool
}

// New makes a server; it starts nothing.
func New(service Service, opts Options) *Server {
	opts = opts.withDefaults()
	return &Server{
		service:    service,
		opts:       opts,
		identifier: peer.NewIdentifier(peer.ReadIDMap(), opts.Now),
		conns:      connlimit.NewSet[connOwner, *conn](opts.MaxConnections, excessConnections),
		log:        throttledLog{opts.Logger, logging.NewThrottle(opts.Now)},
	}
}

// Connections returns how many connections are open.
func (s *Server) Connections() int { return s.conns.Len() }

// Serve serves the listeners until ctx ends or one of them fails, then drains:
// the listeners are closed, requests that still arrive are answered with
// [CodeDraining], the answers in flight are waited for, idle connections are
// closed. It closes the listeners in any case, and returns nil after a complete
// drain, [ErrDrainTimeout] if some answers took too long. Call it once.
func (s *Server) Serve(ctx context.Context, listeners ...*peer.Listener) error {
	requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
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

// drain waits for the handlers, then for their answers to be on the wire. What
// takes longer than the drain timeout is cut off.
func (s *Server) drain(web *http.Server, abandon func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.opts.DrainTimeout)
	defer cancel()
	_ = s.flight.wait(ctx)                                        // the outcome is ctx's, below
	s.conns.DropIf(func(c *conn) bool { return !c.asked.Load() }) // Shutdown would wait for them
	_ = web.Shutdown(ctx)                                         // so is this one's; the listeners are closed already
	if ctx.Err() == nil {
		return nil
	}
	abandon()
	return errors.Join(ErrDrainTimeout, web.Close())
}

// newRequestID returns 24 hexadecimal digits. An id of the peer's is not taken
// over: it would be text of the peer's in the daemon's log.
func (s *Server) newRequestID() string {
	var id [12]byte
	if _, err := io.ReadFull(s.opts.Random, id[:]); err != nil {
		s.opts.Logger.Error("no randomness for request ids", "error", err)
	}
	return hex.EncodeToString(id[:])
}
