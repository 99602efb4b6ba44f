package metrics_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/metrics"
)

// TestIdleConnectionsStopNoScrape opens far more connections than there are
// places, and scrapes from the same address and from another one.
func TestIdleConnectionsStopNoScrape(t *testing.T) {
	_, registry := newMetrics(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	handler := metrics.Handler(registry, func() bool { return true }, logging.Discard)
	go func() { ended <- metrics.Serve(ctx, l, handler, logging.Discard) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for range 300 {
		idle, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext}}
		resp, err := client.Get("http://" + l.Addr().String() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("from %s: %s", from, resp.Status)
		}
		client.CloseIdleConnections()
	}
}
