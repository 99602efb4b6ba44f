package worker

import (
	"crypto"
	"errors"
	"testing"
)

// A full worker that is probed is not one that was sent too much.
func TestDepthHasRoomForTheProbe(t *testing.T) {
	const depth = 3
	s := &server{jobs: newJobs(depth)} // whose sessions are all busy
	request := &signRequest{hash: crypto.SHA256, digest: make([]byte, 32)}
	send := func() error { return s.dispatch(frame{kind: kindSign, payload: payloadOf(t, request)}, nil) }
	for n := range depth + 1 {
		if err := send(); err != nil {
			t.Errorf("request %d: %v", n+1, err)
		}
	}
	if err := send(); !errors.Is(err, errFrame) {
		t.Errorf("one more: %v", err)
	}
}
