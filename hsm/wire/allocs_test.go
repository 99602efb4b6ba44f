//go:build !race

package wire

import (
	"bytes"
	"crypto"
	"testing"
	"time"

	"github.com/assertd/assertd/test/allocs"
)

// Both frames of a signature, on both sides.
func TestAllocations(t *testing.T) {
	var stream bytes.Buffer
	frames := NewReader(&stream, MaxRequest)
	next := func() Frame {
		f, err := frames.Next()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	digest, signature, frame := make([]byte, 32), make([]byte, 72), make([]byte, 0, 256)
	allocs.AtMost(t, 0, func() {
		request, err := NewSignRequest(KeyRef{}, digest, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(request.AppendFrame(frame[:0], 1))
		if _, err := ParseSignRequest(next().Payload); err != nil {
			t.Fatal(err)
		}
		stream.Write(SignReply{Wait: time.Second, Module: time.Second, Signature: signature}.AppendFrame(frame[:0], 1))
		if _, err := ParseSignReply(next().Payload); err != nil {
			t.Fatal(err)
		}
	})
}
