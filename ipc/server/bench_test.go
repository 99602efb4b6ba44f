package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

const benchBody = `{"grant":"bank-a","audience":"https://as.bank-a.example","claims":{"scope":"read"},"lifetime_seconds":60}`

var benchAnswer = ipc.AssertionResponse{
	Assertion: strings.Repeat("a", 480), AssertionType: ipc.AssertionType, Kid: strings.Repeat("k", 43), Alg: "ES256",
	JTI: strings.Repeat("j", 22), IssuedAt: 1790000000, ExpiresAt: 1790000060, Grant: "bank-a",
}

func BenchmarkDecodeAssertion(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeAssertion([]byte(benchBody)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAssert measures both ends of a request with a service that does
// nothing. BenchmarkNetHTTP, with a bare handler, is the minimum that it could
// take.
func BenchmarkAssert(b *testing.B) {
	r := serve(b, &fakeService{assert: func(context.Context, caller.Caller, ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		return benchAnswer, nil
	}}, Options{Logger: logging.Discard, Needed: everything})
	benchClient(b, r.http)
}

func BenchmarkNetHTTP(b *testing.B) {
	socket := filepath.Join(b.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(asJSON(b, benchAnswer))
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = jsonType
		w.Write(body)
	})}
	done := make(chan error)
	go func() { done <- web.Serve(l) }()
	b.Cleanup(func() { web.Close(); <-done })
	benchClient(b, unixClient(socket))
}

func benchClient(b *testing.B, client *http.Client) {
	b.ReportAllocs()
	b.SetParallelism(4) // 8 callers on two cores
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Post("http://assertd/v1/assertions", "application/json", strings.NewReader(benchBody))
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				b.Error(err, resp.Status)
			}
			resp.Body.Close()
		}
	})
	client.CloseIdleConnections()
}
