package ship

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestRejectedByCollector: lines that a collector rejects are counted and not
// sent again, as the protocol wants. A collector that is overloaded gets its
// lines again.
func TestRejectedByCollector(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}`)
	}))
	t.Cleanup(server.Close)
	l, shipper := ownAndShip(t, t.TempDir(), Collector{Endpoint: server.URL + "/v1/logs"})
	if err := l.Append(t.Context(), record("one")); err != nil {
		t.Fatal(err)
	}
	await(t, "the lines", func() bool { s := state(shipper, l); return s.Pending == 0 && s.Lines > 1 })
	s, answered := state(shipper, l), requests.Load()-1
	if s.Missing != answered || s.Error != "" || answered < 1 || answered > 2 {
		t.Errorf("%d lines are missing after %d answers, error %q", s.Missing, answered, s.Error)
	}
}
