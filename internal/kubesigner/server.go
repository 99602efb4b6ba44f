// Package kubesigner is the socket on which kube-apiserver has the tokens of
// service accounts signed: the gRPC service v1.ExternalJWTSigner of
// k8s.io/externaljwt. It translates between gRPC and the signer, which decides,
// limits, signs and records.
//
// kube-apiserver opens one connection and sends no credentials: as on the other
// sockets, the kernel says who is calling. It passes the text of every error on
// to those who ask the cluster for a token, so these texts say nothing about
// the daemon.
package kubesigner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	externaljwt "k8s.io/externaljwt/apis/v1"

	"github.com/assertd/assertd/internal/connlimit"
	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/serviceaccount"
)

const (
	// MaxConnections is how many connections one socket keeps open. An API server
	// has one. With the next two it bounds what a peer can make the daemon keep in
	// memory: 64 MiB.
	MaxConnections = 16
	// maxStreams is how many calls of one connection are handled at a time. More
	// wait in the API server.
	maxStreams = 128
	// maxMessage leaves room for claims that are too long, so that the refusal is
	// recorded. A longer message is not even read.
	maxMessage = 4 * serviceaccount.MaxPayload
	maxHeaders = 16 << 10
	// callTimeout bounds a call whose caller sets no deadline. kube-apiserver's is
	// 34 seconds.
	callTimeout = 30 * time.Second
)

// Observer counts calls.
type Observer interface {
	// Request is called after each call, with the method as route and the HTTP
	// status of the API's code.
	Request(route string, status int, code ipc.Code, took time.Duration)
}

// Options of a Server. All are required, but Family may be nil.
type Options struct {
	Issuer        keyset.Issuer
	MaxExpiration time.Duration // of a token; whole seconds
	Refresh       time.Duration // how often keys are fetched; whole seconds

	Signer *signer.Signer
	Keys   *keyset.Active

	Recorded         caller.Attributes // to look up for the audit log only
	Family           *descent.Family   // the daemon's descendants, who are refused
	Observer         Observer
	Logger           logging.Logger
	HandshakeTimeout time.Duration // for a connection to become one of HTTP/2
	DrainTimeout     time.Duration // for calls in flight when Serve's context ends
	Now              func() time.Time
}

// Server serves one kube-apiserver's socket. Make it with New.
type Server struct {
	externaljwt.UnimplementedExternalJWTSignerServer
	opts       Options
	identifier *peer.Identifier
	conns      *connlimit.Set[uint32, *conn] // by user
	throttle   *logging.Throttle
	random     io.Reader
}

// New makes a server; it starts nothing.
func New(o Options) *Server {
	return &Server{
		opts:       o,
		identifier: peer.NewIdentifier(peer.ReadIDMap(), o.Family, o.Now),
		conns:      connlimit.NewSet[uint32, *conn](connlimit.Limits[uint32]{Places: MaxConnections}),
		throttle:   logging.NewThrottle(o.Now),
		random:     rand.Reader,
	}
}

// Serve serves the listener until ctx ends or the listener fails. Then it
// drains: it refuses new calls and waits for those in flight. It always closes
// the listener. Call it once.
func (s *Server) Serve(ctx context.Context, listener *peer.Listener) error {
	server := grpc.NewServer(
		grpc.Creds(kernel{}), grpc.ConnectionTimeout(s.opts.HandshakeTimeout),
		grpc.MaxConcurrentStreams(maxStreams), grpc.MaxRecvMsgSize(maxMessage), grpc.MaxHeaderListSize(maxHeaders),
		grpc.UnaryInterceptor(s.intercept), grpc.StatsHandler(unhandled{s}),
	)
	externaljwt.RegisterExternalJWTSignerServer(server, s)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(&acceptor{listener, s}) }()
	select {
	case err := <-failed:
		server.Stop()
		return errors.Join(fmt.Errorf("serve %s: %w", listener.Path(), err), listener.Close())
	case <-ctx.Done():
	}
	stop := time.AfterFunc(s.opts.DrainTimeout, server.Stop)
	defer stop.Stop()
	server.GracefulStop()
	<-failed
	return listener.Close()
}
