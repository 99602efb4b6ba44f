package server

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/assertd/assertd/ipc"
)

// buffers have room for the largest body and one byte more. What is decoded from a
// buffer does not refer to it.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, ipc.MaxBodyBytes+1)
	return &b
}}

// readBody reads the whole body of a POST into buffer.
func readBody(r *http.Request, buffer []byte) ([]byte, error) {
	if r.Method != http.MethodPost {
		if r.ContentLength != 0 {
			return nil, ipc.NewProblem(ipc.CodeMalformedRequest, "This call takes no body.")
		}
		return nil, nil
	}
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > ipc.MaxBodyBytes {
		return nil, tooLarge()
	}
	n, err := io.ReadFull(r.Body, buffer)
	var timeout net.Error
	switch {
	case err == nil:
		return nil, tooLarge()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && (r.ContentLength < 0 || int64(n) == r.ContentLength):
		return buffer[:n], nil
	case errors.As(err, &timeout) && timeout.Timeout():
		return nil, ipc.NewProblem(ipc.CodeTimeout, "The body did not arrive in time. Send it all at once.")
	}
	return nil, ipc.NewProblem(ipc.CodeMalformedRequest, "The body ends too early, or its framing is wrong.")
}

func tooLarge() error {
	return ipc.Problemf(ipc.CodeRequestTooLarge, "A body may have at most %d bytes.", ipc.MaxBodyBytes)
}

func checkMediaType(h http.Header) error {
	if h["Content-Encoding"] != nil {
		return ipc.NewProblem(ipc.CodeUnsupportedMediaType, "Send the body without Content-Encoding.")
	}
	given := h.Get("Content-Type")
	if given == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || kind != "application/json" || (params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8")) {
		return ipc.NewProblem(ipc.CodeUnsupportedMediaType, "Send the header Content-Type: application/json.")
	}
	return nil
}
