package jwks

import (
	"context"
	"net"
	"time"

	"github.com/assertd/assertd/internal/web"
)

// A slower peer is not a receiver.
const (
	responseTimeout = 10 * time.Second
	drainTimeout    = 5 * time.Second
)

// DefaultMaxConnections is how many connections Serve keeps open at once.
const DefaultMaxConnections = 1024

// Serve answers on the listener until ctx ends. It then lets in-flight
// responses finish for up to five seconds, and returns nil. It closes the
// listener. With a certificate it serves TLS 1.2 or later; without one, plain
// HTTP, for use behind a proxy.
func (p *Publisher) Serve(ctx context.Context, listener net.Listener, certificate *TLSCertificate) error {
	options := p.config.web()
	if certificate != nil {
		options.Certificate = certificate.GetCertificate
	}
	return web.Serve(ctx, listener, p, options)
}

func (c *PublisherConfig) web() web.Options {
	return web.Options{
		Name: "jwks.listen", Logger: c.Logger,
		MaxConnections: c.MaxConnections, Proxies: c.Proxies, ClientAddress: c.ClientAddress,
		ResponseTimeout: responseTimeout, DrainTimeout: drainTimeout, ErrorLog: c.ErrorLog,
	}
}
