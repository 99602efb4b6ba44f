package jwks

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is a ResponseWriter that keeps nothing but headers.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func BenchmarkPublisher(b *testing.B) {
	p, _ := newPublisher(b, "")
	update(b, p, Content{Set: mustSet(b, oneOfEach(b)...), NextChange: day(1)})
	tag := ask(p, "GET", SetPath).Header.Get("ETag")
	for name, headers := range map[string]http.Header{"200": {}, "304": {"If-None-Match": {tag}}} {
		b.Run(name, func(b *testing.B) {
			request := httptest.NewRequest("GET", "http://jwks.example"+SetPath, nil)
			request.Header = headers
			b.ReportAllocs()
			for b.Loop() {
				p.ServeHTTP(&discard{header: http.Header{}}, request)
			}
		})
	}
}

// BenchmarkServe is whole requests over loopback, client and server on the same
// machine.
func BenchmarkServe(b *testing.B) {
	p, _ := newPublisher(b, "")
	update(b, p, Content{Set: mustSet(b, oneOfEach(b)...)})
	url := "http://" + serve(b, p, nil) + SetPath
	client := newClient(b, nil)
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			response, err := client.Get(url)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
