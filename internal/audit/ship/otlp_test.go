package ship

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/otlp"
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

// received is a request of a collector.
func received(t *testing.T, r *http.Request) (seqs []string) {
	t.Helper()
	var request struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				LogRecords []struct{ Attributes []otlp.KeyValue }
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		t.Error(err)
	}
	for _, l := range request.ResourceLogs[0].ScopeLogs[0].LogRecords {
		seqs = append(seqs, l.Attributes[0].Value.Int)
	}
	return seqs
}

// picky is a connection to a collector that answers requests with a status if
// they have one of these records.
func picky(t *testing.T, status int, records ...string) (c connection, taken *[]string) {
	t.Helper()
	taken = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seqs := received(t, r)
		if slices.ContainsFunc(seqs, func(seq string) bool { return slices.Contains(records, seq) }) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":"not that one"}`)
			return
		}
		*taken = append(*taken, seqs...)
	}))
	t.Cleanup(server.Close)
	c, err := Collector{Endpoint: server.URL + "/v1/logs"}.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c, taken
}

func numbered(n int64) (lines []audit.Line) {
	for seq := range n {
		lines = append(lines, audit.Line{Seq: seq, Kind: "assertion", Text: []byte(strings.Repeat("x", 100))})
	}
	return lines
}

// TestRefusedLines: lines that a collector refuses for what they are don't hold
// up the others. All other errors, and a collector that takes nothing, do: the
// lines are in order then.
func TestRefusedLines(t *testing.T) {
	for status, passes := range map[int]bool{
		http.StatusBadRequest: true, http.StatusRequestEntityTooLarge: true, http.StatusUnprocessableEntity: true, http.StatusInternalServerError: true,
		http.StatusUnauthorized: false, http.StatusForbidden: false, http.StatusNotFound: false, http.StatusUnsupportedMediaType: false,
		http.StatusTooManyRequests: false, http.StatusBadGateway: false, http.StatusServiceUnavailable: false, http.StatusGatewayTimeout: false,
		http.StatusFound: false,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			c, taken := picky(t, status, "0", "7")
			lost, err := c.send(t.Context(), numbered(9))
			arrived, _ := c.delivered()
			if passes && (err != nil || lost.lines != 2 || lost.why == nil || arrived != 9 || strings.Join(*taken, "") != "1234568") {
				t.Errorf("%d lost (%v), %d arrived, it has %v: %v", lost.lines, lost.why, arrived, *taken, err)
			}
			if !passes && (err == nil || lost.lines != 0 || arrived != 0) {
				t.Errorf("%d lost, %d arrived: %v", lost.lines, arrived, err)
			}
			if lost, err := c.send(t.Context(), numbered(1)); err == nil || lost.lines != 0 {
				t.Errorf("refused everything: %d lost: %v", lost.lines, err)
			}
		})
	}
}

// TestTooLargeRequests: a collector that finds a request too large gets smaller
// ones from then on.
func TestTooLargeRequests(t *testing.T) {
	var refused atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(received(t, r)) > 10 {
			refused.Add(1)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}))
	t.Cleanup(server.Close)
	c, err := Collector{Endpoint: server.URL}.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if lost, err := c.send(t.Context(), numbered(80)); err != nil || lost.lines != 0 {
			t.Fatalf("%d lost: %v", lost.lines, err)
		}
	}
	if n := refused.Load(); n != 3 { // 80, 40 and 20 lines
		t.Errorf("%d requests were too large", n)
	}
	c.close()
}

// TestPauses: a collector can say how long to wait.
func TestPauses(t *testing.T) {
	for header, want := range map[string]time.Duration{"7": 7 * time.Second, "86400": maxPause, "": 0, "-1": 0, "soon": 0} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		c, err := Collector{Endpoint: server.URL}.connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.send(t.Context(), numbered(3))
		got := pause(errors.Join(err), time.Second)
		if want > 0 && got != want || want == 0 && (got < time.Second/2 || got > time.Second) {
			t.Errorf("%q: waits %s", header, got)
		}
		c.close()
		server.Close()
	}
}
