package pool

import (
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// These bound how often one signature is sent: once, and again if the worker that
// had it died. A request that crashes the module kills this many workers and no
// more; one that merely shared a worker with it gets a second chance after the
// first resend. A worker that hangs costs a whole timeout, so a signature that
// hung is repeated only once.
const (
	maxAttempts = 3
	maxTimeouts = 2
)

// call is a request on its way. The pool's lock guards the fields below the line.
type call struct {
	message wire.Message
	key     wire.KeyRef
	pinned  bool          // for one worker, and never resent
	timeout time.Duration // for a worker's answer
	done    chan result   // has room for the one result
	began   time.Time

	finished    bool // nobody waits for it any more
	queued      time.Time
	attempts    int
	timeouts    int
	outstanding int // workers that have it
}

// attempt is a call that a worker has.
type attempt struct {
	call   *call
	sent   time.Time
	hedged bool // a second worker has been asked too
}

// result is how a call ended.
type result struct {
	kind     wire.Kind
	payload  []byte // owned by the caller
	reply    wire.SignReply
	err      error
	worker   *worker
	sent     time.Time
	answered time.Time
	attempts int
}

// signCall is a call for a signature with everything that it points to, so that
// one allocation is enough.
type signCall struct {
	call
	request wire.SignRequest
	digest  [64]byte
}

// newSignCall copies the digest: a call can be resent after its caller has gone.
func newSignCall(r wire.SignRequest, timeout time.Duration) *call {
	s := &signCall{request: r}
	s.request.Digest = append(s.digest[:0], r.Digest...)
	s.call = call{message: &s.request, key: r.Key, timeout: timeout, done: make(chan result, 1)}
	return &s.call
}

func newPinnedCall(m wire.Message, timeout time.Duration) *call {
	return &call{message: m, pinned: true, timeout: timeout, done: make(chan result, 1)}
}

// finish delivers the result, if it is the first. The pool is locked.
func (c *call) finish(r result) {
	if !c.finished {
		c.finished = true
		r.attempts = c.attempts
		c.done <- r
	}
}
