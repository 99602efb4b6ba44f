package worker

import (
	"bytes"
	"crypto"
	"errors"
	"testing"

	"github.com/assertd/assertd/hsm/wire"
)

// The depth leaves room for the pool's own probe.
func TestDepthHasRoomForTheProbe(t *testing.T) {
	const depth = 3
	s := &server{jobs: newJobs(depth)} // all sessions are busy
	request, err := wire.NewSignRequest(wire.KeyRef{}, make([]byte, 32), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := wire.NewReader(bytes.NewReader(request.AppendFrame(nil, 1)), wire.MaxRequest).Next()
	if err != nil {
		t.Fatal(err)
	}
	send := func() error { return s.dispatch(frame, nil) }
	for n := range depth + 1 {
		if err := send(); err != nil {
			t.Errorf("request %d: %v", n+1, err)
		}
	}
	if err := send(); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("one more: %v", err)
	}
}
