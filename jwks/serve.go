package jwks

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/assertd/assertd/internal/connlimit"
)

// DefaultMaxConnections is how many connections Serve keeps open at once. More
// connections wait in the kernel until one closes.
const DefaultMaxConnections = 1024

// Limits for each connection. The documents are small and requested rarely, so
// a slower peer is not a receiver.
const (
	headerTimeout   = 5 * time.Second
	requestTimeout  = 10 * time.Second
	responseTimeout = 10 * time.Second
	idleTimeout     = 30 * time.Second
	drainTimeout    = 5 * time.Second
	maxHeaderBytes  = 8 << 10
)

// Serve answers on the listener until ctx ends. It then lets in-flight
// responses finish for up to five seconds, and returns nil. It closes the
// listener. With a certificate it serves TLS 1.2 or later; without one, plain
// HTTP, for use behind a proxy.
func (p *Publisher) Serve(ctx context.Context, listener net.Listener, certificate *TLSCertificate) error {
	server := p.server(certificate)
	limited := connlimit.NewListener(listener, p.config.MaxConnections, connlimit.Queue)
	served := make(chan error, 1)
	go func() {
		if certificate != nil {
			served <- server.ServeTLS(limited, "", "")
			return
		}
		served <- server.Serve(limited)
	}()
	select {
	case err := <-served:
		_ = server.Close()
		return err
	case <-ctx.Done():
	}
	err := drain(server)
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}

// drain lets in-flight responses finish, then closes the server.
func drain(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

func (p *Publisher) server(certificate *TLSCertificate) *http.Server {
	server := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      responseTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          p.config.ErrorLog,
	}
	if server.ErrorLog == nil {
		server.ErrorLog = log.New(io.Discard, "", 0)
	}
	if certificate != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.GetCertificate}
	}
	return server
}
