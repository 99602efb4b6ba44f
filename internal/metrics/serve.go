package metrics

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/web"
)

// MaxConnections limits connections to metrics.listen: any local process can
// open them, and must not exhaust the daemon's file descriptors.
const MaxConnections = 64

// Handler serves GET /metrics, and health without details, to Prometheus and to
// load balancers.
func Handler(registry *prometheus.Registry, ready func() bool, logger logging.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{logger}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "not ready\n")
			return
		}
		io.WriteString(w, "ready\n")
	})
	return mux
}

// scrapeLog logs metrics that can't be written.
type scrapeLog struct{ logger logging.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) {
	l.logger.Error("metrics not written", "error", fmt.Sprint(v...))
}

// Listen opens metrics.listen. It warns about an address that other machines
// can reach.
func Listen(address string, logger logging.Logger) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	logger.Info("serving metrics", "address", listener.Addr().String())
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		logger.Warn("metrics.listen is not a loopback address; anyone who can reach it sees the names of clients, grants and keys, unencrypted", "address", address)
	}
	return listener, nil
}

// Serve serves the handler until ctx ends. It closes the listener.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger logging.Logger) error {
	// No time to drain: an interrupted scrape loses nothing, and a scraper that
	// doesn't read must not delay the stop.
	options := web.Options{Name: "metrics.listen", Logger: logger, MaxConnections: MaxConnections, ResponseTimeout: 30 * time.Second}
	if err := web.Serve(ctx, listener, handler, options); err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	return nil
}
