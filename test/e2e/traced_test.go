package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTraced sends a request with a trace context. All steps of the request
// reach the collector under the caller's trace ID.
func TestTraced(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c"
	var mu sync.Mutex
	steps := make(map[string][]string) // by trace ID
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			ResourceSpans []struct {
				ScopeSpans []struct {
					Spans []struct{ TraceID, Name string }
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, span := range body.ResourceSpans[0].ScopeSpans[0].Spans {
			steps[span.TraceID] = append(steps[span.TraceID], span.Name)
		}
	}))
	t.Cleanup(collector.Close)
	s := newSite(t)
	text, err := os.ReadFile(s.layout.Config)
	check(t, err)
	tracing := "\ntracing: {endpoint: \"" + collector.URL + "/v1/traces\"}\n"
	check(t, os.WriteFile(s.layout.Config, append(text, tracing...), 0o600))
	process := s.serve()
	web := &http.Client{Timeout: 10 * time.Second, Transport: unixTransport(s.layout.Socket)}
	defer web.CloseIdleConnections()
	request, err := http.NewRequest(http.MethodPost, "http://assertd/v1/assertions", strings.NewReader("{}"))
	check(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-"+trace+"-b7ad6b7169203331-01")
	response, err := web.Do(request)
	check(t, err)
	response.Body.Close()
	check(t, process.Process.Signal(signals["TERM"])) // the daemon flushes its spans when it stops
	check(t, process.Wait())
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(steps[trace])
	if want := []string{"/v1/assertions", "decide", "record", "sign"}; !slices.Equal(steps[trace], want) {
		t.Errorf("steps %v, want %v", steps[trace], want)
	}
}
