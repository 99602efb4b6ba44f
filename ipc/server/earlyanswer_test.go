package server

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// TestEarlyAnswer: a caller that writes its whole request before it reads gets
// the answer, even if the daemon gave it long before.
func TestEarlyAnswer(t *testing.T) {
	const size = 3 << 20
	post := func(path, header string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%s\r\n", path, header)
	}
	length := fmt.Sprintf("Content-Length: %d\r\n", size)
	body := strings.Repeat("x", size)
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", size, body)
	for name, test := range map[string]struct {
		request string
		code    ipc.Code
	}{
		"too large":          {post("/v1/assertions", length) + body, ipc.CodeRequestTooLarge},
		"too large, chunked": {post("/v1/assertions", "Transfer-Encoding: chunked\r\n") + chunked, ipc.CodeRequestTooLarge},
		"unknown route":      {post("/v1/nothing", length+"Connection: close\r\n") + body, ipc.CodeNotFound},
		"web page":           {post("/v1/assertions", "Origin: x\r\nConnection: close\r\n"+length) + body, ipc.CodeMalformedRequest},
		"wrong framing":      {post("/v1/assertions", "Transfer-Encoding: chunked\r\n\r\n") + "zz\r\n" + body, ipc.CodeMalformedRequest},
		"not HTTP":           {"nonsense\r\n" + body, ipc.CodeMalformedRequest},
		"large header":       {"GET /v1/jwks HTTP/1.1\r\nHost: a\r\nX-Long: " + body, ipc.CodeRequestTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, &fakeService{}, Options{})
			writeAllThenRead(t, r, test.request).problem(t, test.code)
		})
	}
}

// TestEarlyAnswerOfAnExcessConnection takes the only place first.
func TestEarlyAnswerOfAnExcessConnection(t *testing.T) {
	r := serve(t, &fakeService{}, Options{MaxConnections: 1})
	first := r.dial()
	defer first.Close()
	io.WriteString(first, "GET /v1/jwks HTTP/1.1\r\n")
	body := strings.Repeat("x", 1<<20)
	request := fmt.Sprintf("POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	writeAllThenRead(t, r, request).problem(t, ipc.CodeOverloaded)
}

func writeAllThenRead(t *testing.T, r *running, request string) reply {
	t.Helper()
	c := r.dial()
	defer c.Close()
	if n, err := io.WriteString(c, request); err != nil {
		t.Fatalf("cut off after %d of %d bytes: %v", n, len(request), err)
	}
	return readReply(t, c)
}
