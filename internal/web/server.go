package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/logging"
)

// Limits for each connection. Requests are small and rare, so a slower peer is
// not a client that anyone waits for.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 5 * time.Second
	idleTimeout    = 20 * time.Second // more than the 15 s between two scrapes
	maxHeaderBytes = 8 << 10
	maxStreams     = 32 // of one HTTP/2 connection at a time
)

// ClientAddress says who knows the address of a client.
type ClientAddress string

const (
	// Connection is the connection: the address is that of its other end. It is
	// the default.
	Connection ClientAddress = "connection"
	// ProxyProtocol is a proxy's header before the client's bytes, in version 1 or
	// 2 of HAProxy's PROXY protocol. A proxy's connections must have one.
	ProxyProtocol ClientAddress = "proxy-protocol"
	// ForwardedFor is the X-Forwarded-For header of a proxy's requests.
	ForwardedFor ClientAddress = "x-forwarded-for"
)

// Words lists the values, for the configuration.
func (ClientAddress) Words() []string {
	return []string{string(Connection), string(ProxyProtocol), string(ForwardedFor)}
}

// Options of [Serve].
type Options struct {
	// Name is the setting of the listener, for the log.
	Name string
	// Logger is told, from time to time, when connections are dropped or refused;
	// nil for nobody.
	Logger logging.Logger
	// MaxConnections is how many connections can be open. One address can have
	// half of them. If all are taken, the oldest idle connection of the address
	// that has the most makes room.
	MaxConnections int
	// Proxies can have as many connections as there are. Only they are believed
	// about a client's address.
	Proxies       Proxies
	ClientAddress ClientAddress
	// ResponseTimeout is from the end of a request's header to the end of its
	// response. DrainTimeout is for the responses in flight when ctx ends.
	ResponseTimeout, DrainTimeout time.Duration
	// Certificate returns the certificate for a handshake; nil for plain HTTP.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ErrorLog gets messages about connections; nil drops them.
	ErrorLog *log.Logger
}

// Serve serves the handler until ctx ends, then lets responses in flight
// finish, and returns nil. It closes the listener.
func Serve(ctx context.Context, l net.Listener, handler http.Handler, options Options) error {
	server := newServer(handler, options)
	options.MaxConnections = Possible(options.MaxConnections)
	limited := newListener(l, options)
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
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
	err := drain(server, options.DrainTimeout)
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}

func newServer(handler http.Handler, options Options) *http.Server {
	server := &http.Server{
		Handler:                      framed(handler),
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headerTimeout,
		ReadTimeout:                  requestTimeout,
		WriteTimeout:                 options.ResponseTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ConnState:                    trackState,
		ErrorLog:                     options.ErrorLog,
	}
	if server.ErrorLog == nil {
		server.ErrorLog = log.New(io.Discard, "", 0)
	}
	if options.Certificate != nil {
		server.TLSConfig = tlsConfig(options)
	}
	return server
}

// tlsConfig leaves out the suites with CBC, whose padding has leaked often, and
// those without forward secrecy. TLS 1.3 has neither.
func tlsConfig(options Options) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: options.Certificate,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}

// framed ends a connection after any request whose end a proxy in front may
// have seen elsewhere (RFC 9112, section 6.1). With a Transfer-Encoding,
// net/http forgets that there may have been a Content-Length too. In HTTP/1.0
// it forgets the Transfer-Encoding.
func framed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// drain lets responses in flight finish, then closes the server.
func drain(server *http.Server, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

// Possible lowers a limit on connections to an eighth of the process's file
// descriptors: strangers must not take those that callers need.
func Possible(limit int) int {
	var descriptors unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &descriptors); err != nil {
		return limit
	}
	return int(min(uint64(limit), max(1, descriptors.Cur/8)))
}
