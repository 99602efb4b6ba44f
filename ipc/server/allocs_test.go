//go:build !race

package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/test/allocs"
)

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// A request on a warm connection, with a service that does nothing. The test's
// side of the connection allocates nothing.
func TestAllocations(t *testing.T) {
	r := serve(t, &fakeService{assert: func(context.Context, caller.Caller, ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		return benchAnswer, nil
	}}, Options{Logger: logging.Discard, Needed: everything})
	conn, err := net.Dial("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request, err := http.NewRequest(http.MethodPost, "http://assertd/v1/assertions", strings.NewReader(benchBody))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	var encoded strings.Builder
	if err := request.Write(&encoded); err != nil {
		t.Fatal(err)
	}
	whole := []byte(encoded.String())
	if _, err := conn.Write(whole); err != nil {
		t.Fatal(err)
	}
	first := &counted{Reader: conn}
	answer, err := http.ReadResponse(bufio.NewReader(first), request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status, err)
	}
	response := make([]byte, first.n)
	allocs.AtMost(t, 60, func() {
		if _, err := conn.Write(whole); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, response); err != nil {
			t.Fatal(err)
		}
	})
}
