package tracing_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/tracing"
)

// span is what the collector reads.
type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	StartTimeUnixNano, EndTimeUnixNano  string
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue, IntValue string }
	}
	Status struct {
		Code    int
		Message string
	}
}

// collector stores the spans that it receives.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []span
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct{ ScopeSpans []struct{ Spans []span } }
		}
		text, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(text, &body) != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("bad request %q, %v", text, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.spans = append(c.spans, body.ResourceSpans[0].ScopeSpans[0].Spans...)
	}))
	t.Cleanup(c.Close)
	return c
}

func newTracer(t *testing.T, endpoint string, every int) *tracing.Tracer {
	t.Helper()
	tracer, err := tracing.New(tracing.Options{Endpoint: endpoint, SampleEvery: every, Now: time.Now, Random: rand.Reader, Logger: logging.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// flush runs the tracer until it has sent everything.
func flush(t *testing.T, tracer *tracing.Tracer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tracer.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestRequest(t *testing.T) {
	c := newCollector(t)
	tracer := newTracer(t, c.URL, 1)
	ctx, request := tracer.Request(t.Context(), "POST /v1/assertions", caller)
	tracing.Start(ctx, "sign").Text("assertd.key", "payments").Number("assertd.attempts", 2).End()
	request.Number("http.response.status_code", 429).Fail("rate-limited").End()
	flush(t, tracer)
	if len(c.spans) != 2 {
		t.Fatalf("%d spans", len(c.spans))
	}
	sign, root := c.spans[0], c.spans[1]
	if root.TraceID != "0af7651916cd43dd8448eb211c80319c" || root.ParentSpanID != "b7ad6b7169203331" || root.Kind != 2 {
		t.Errorf("request %+v", root)
	}
	if sign.TraceID != root.TraceID || sign.ParentSpanID != root.SpanID || sign.Kind != 1 {
		t.Errorf("sign %+v, under %+v", sign, root)
	}
	if root.Status.Code != 2 || root.Status.Message != "rate-limited" || sign.Status.Code != 0 {
		t.Errorf("status %+v, %+v", root.Status, sign.Status)
	}
	if sign.Attributes[0].Value.StringValue != "payments" || sign.Attributes[1].Value.IntValue != "2" {
		t.Errorf("attributes %+v", sign.Attributes)
	}
}

// TestSampling: the caller's header decides what is traced, or else one in four
// is.
func TestSampling(t *testing.T) {
	tracer := newTracer(t, "http://127.0.0.1:1", 4)
	traced := func(header string) (n int) {
		for range 100 {
			if _, s := tracer.Request(t.Context(), "r", header); s != nil {
				n++
			}
		}
		return n
	}
	for header, want := range map[string]int{
		caller: 100,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00": 0,
		"":        25,
		"garbage": 25,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01":    25,
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01":    25,
		"00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01":    25,
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-xx": 25,
		"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-xx": 100,
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":    25,
	} {
		if got := traced(header); got != want {
			t.Errorf("%q: %d of 100 traced, want %d", header, got, want)
		}
	}
}

// TestOff: without a tracer there are no spans.
func TestOff(t *testing.T) {
	var tracer *tracing.Tracer
	ctx, request := tracer.Request(t.Context(), "r", caller)
	if request != nil || tracing.Start(ctx, "sign") != nil {
		t.Error("spans without a tracer")
	}
	request.Text("a", "b").Number("c", 1).Fail("d").At(time.Time{}).End()
}

// TestCollectorAway: spans are dropped and counted, and no one waits.
func TestCollectorAway(t *testing.T) {
	tracer := newTracer(t, "http://127.0.0.1:1", 1)
	for range 10_000 {
		_, s := tracer.Request(t.Context(), "r", "")
		s.End()
	}
	if tracer.Dropped() == 0 {
		t.Error("the queue is unlimited")
	}
	flush(t, tracer)
}

func TestNewRefuses(t *testing.T) {
	for _, endpoint := range []string{"", "127.0.0.1:4318", "ftp://x/", "http://"} {
		if _, err := tracing.New(tracing.Options{Endpoint: endpoint, SampleEvery: 1, Now: time.Now, Random: rand.Reader, Logger: logging.Discard}); err == nil {
			t.Errorf("%q was accepted", endpoint)
		}
	}
}

// FuzzParent: a caller's header never makes anything fail.
func FuzzParent(f *testing.F) {
	f.Add(caller)
	f.Add("00--------------------------------------------------01")
	f.Fuzz(func(t *testing.T, header string) {
		tracer, err := tracing.New(tracing.Options{Endpoint: "http://127.0.0.1:1", SampleEvery: 1, Now: time.Now, Random: rand.Reader, Logger: logging.Discard})
		if err != nil {
			t.Fatal(err)
		}
		ctx, s := tracer.Request(t.Context(), "r", header)
		if (s == nil) != (tracing.Start(ctx, "child") == nil) {
			t.Error("a child without its request")
		}
	})
}

func BenchmarkOff(b *testing.B) {
	var tracer *tracing.Tracer
	for b.Loop() {
		ctx, request := tracer.Request(b.Context(), "r", caller)
		tracing.Start(ctx, "decide").End()
		tracing.Start(ctx, "sign").End()
		tracing.Start(ctx, "record").End()
		request.End()
	}
}
