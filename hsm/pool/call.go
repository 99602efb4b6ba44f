package pool

import (
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// maxAttempts bounds how often one signature is handed out: once, and again when the worker that had it died. A signature on which the module
// crashes so ends this many workers and no more; one that merely was in the same worker has a second chance after the first resend. A worker
// that had to be killed for its silence costs a whole timeout, so that is repeated once only.
const (
	maxAttempts = 3
	maxTimeouts = 2
)

// call is a request on its way. Its fields below the line belong to the pool's lock.
type call struct {
	message wire.Message
	key     wire.KeyRef
	pinned  bool          // for one worker, with what only happens once: never sent again
	limit   time.Duration // for a worker to answer in
	done    chan result   // has room for the one result
	began   time.Time

	finished    bool // nobody waits any more
	queued      time.Time
	attempts    int
	timeouts    int
	outstanding int // workers that have it
}

// attempt is a call in a worker's hands.
type attempt struct {
	call  *call
	sent  time.Time
	moved bool // another worker has been asked as well
}

// result is how a call ended.
type result struct {
	kind     wire.Kind
	payload  []byte // nobody else's
	reply    wire.SignReply
	err      error
	worker   *worker
	sent     time.Time
	answered time.Time
	attempts int
}

// signCall is a call for a signature together with what it refers to, so that one allocation does for all.
type signCall struct {
	call
	request wire.SignRequest
	digest  [64]byte
}

// newSignCall copies the digest: a call can be sent again after its caller has gone.
func newSignCall(r wire.SignRequest, limit time.Duration) *call {
	s := &signCall{request: r}
	s.request.Digest = append(s.digest[:0], r.Digest...)
	s.call = call{message: &s.request, key: r.Key, limit: limit, done: make(chan result, 1)}
	return &s.call
}

func newPinnedCall(m wire.Message, limit time.Duration) *call {
	return &call{message: m, pinned: true, limit: limit, done: make(chan result, 1)}
}
