package store

import (
	"context"
	"crypto/tls"
	"net"
)

// secure makes the TLS handshake. The files are read each time, so a renewed
// certificate needs no restart.
func (s *Store) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	settings, err := s.Trust.ClientTLS(s.TLS.CA, s.TLS.Cert, s.TLS.Key)
	if err != nil {
		return nil, err
	}
	if settings.ServerName, _, err = net.SplitHostPort(address); err != nil {
		return nil, err
	}
	secured := tls.Client(conn, settings)
	return secured, secured.HandshakeContext(ctx)
}
