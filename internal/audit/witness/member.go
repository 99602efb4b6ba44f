package witness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
)

// member is one witness and its state, as far as it is known. Only one
// goroutine feeds it; the group's mutex guards what others read.
type member struct {
	client
	group *Group
	wake  chan struct{}

	size  int64         // the size that it has, if known
	known bool          // it has said so since the start
	doubt *audit.Signed // sent to it, without a clear answer

	unproven int64     // size from which no proof could be made; 0 for none
	again    time.Time // when to try that again
	why      error     // why it failed

	cosigned int64     // the largest size that it cosigned since the start
	at       time.Time // when it last cosigned, but not in the future
	seen     int64     // when that came, in nanoseconds of the group's own clock
	err      error     // why it did not cosign the newest checkpoint
}

// possible lists the sizes that the witness may have.
func (m *member) possible() []int64 {
	sizes := []int64{m.size}
	if !m.known {
		sizes = m.group.initial
	}
	if m.doubt != nil {
		sizes = append(sizes[:len(sizes):len(sizes)], m.doubt.Size)
	}
	return sizes
}

func (m *member) poke() {
	select {
	case m.wake <- struct{}{}:
	default: // already awake
	}
}

// run feeds the witness when there is a new checkpoint, and again if it failed
// or its cosignature gets old.
func (m *member) run(ctx context.Context) {
	tick := time.NewTicker(m.group.opts.Retry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-tick.C:
		}
		if m.due() {
			_ = m.feed(ctx, m.proveFromFiles) // it has logged the error
		}
	}
}

func (m *member) due() bool {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.opts.MaxAge > 0 && g.age(m.at, m.seen) >= g.opts.MaxAge/3
	return g.newest != nil && (m.err != nil || m.doubt != nil || m.cosigned < g.newest.Size || old)
}

// maxSteps is how many requests one feed makes: the checkpoint in doubt, the
// question for the size, the newest checkpoint, and one to spare.
const maxSteps = 4

// fallback returns a proof from a size that the log did not expect.
type fallback func(ctx context.Context, sent *audit.Signed, old int64) (tlog.TreeProof, error)

// feed sends the witness what it lacks up to the newest checkpoint.
func (m *member) feed(ctx context.Context, prove fallback) error {
	err := m.steps(ctx, prove)
	m.group.retain(ctx)
	m.conclude(ctx, err)
	return err
}

func (m *member) steps(ctx context.Context, prove fallback) error {
	for range maxSteps {
		if done, err := m.step(ctx, prove); done || err != nil {
			return err
		}
	}
	return errors.New("the witness's answers contradict each other; see whether two logs share the origin, or update the witness")
}

// step makes one request. done says that the newest checkpoint is cosigned.
func (m *member) step(ctx context.Context, prove fallback) (done bool, err error) {
	m.group.mu.Lock()
	newest := m.group.newest
	sent := newest
	if m.doubt != nil {
		sent = m.doubt
	}
	old := m.size
	m.doubt = sent
	m.group.mu.Unlock()

	proof, err := m.prove(ctx, sent, old, prove)
	if err != nil {
		m.clear()
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, m.group.opts.Timeout)
	defer cancel()
	cosignature, err := m.add(limited, old, proof, sent)
	var size sizeError
	var refused refusal
	switch {
	case err == nil:
		m.cosign(ctx, sent, cosignature)
		return sent == newest, nil
	case errors.As(err, &size):
		return false, m.learn(int64(size), newest)
	case errors.Is(err, errSplit):
		m.clear()
		return false, m.rolledBack(old, newest, true)
	case errors.As(err, &refused):
		m.clear()
	}
	return false, err
}

// prove returns the proof that a checkpoint extends the tree of size old. It
// does not look for one from a size before an acknowledged rollback, and asks
// for the size again the next time.
func (m *member) prove(ctx context.Context, sent *audit.Signed, old int64, otherwise fallback) (tlog.TreeProof, error) {
	if sent.Expects(old) {
		return sent.Proof(ctx, old)
	}
	if old > m.group.opts.Log.Acknowledged() {
		return otherwise(ctx, sent, old)
	}
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.size, m.known = 0, false
	return nil, lostError(old)
}

// proveSoon reads the files for no longer than a request may take, since nobody
// is served before the witnesses were asked. A small log shows at once whether
// the witness knows another history of it. The proof of a large one waits for
// Run.
func (m *member) proveSoon(ctx context.Context, sent *audit.Signed, old int64) (tlog.TreeProof, error) {
	limited, cancel := context.WithTimeout(ctx, m.group.proving)
	defer cancel()
	proof, err := sent.Proof(limited, old)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the witness has only %d lines, so it may have lost its own state; "+
			"the proof from there needs the log's older files, which are read in the background", old)
	}
	return proof, err
}

// proofRetry is how long a witness waits for another look at the files, which
// did not have its proof.
const proofRetry = time.Hour

// proveFromFiles reads the files, but not the same ones all the time.
func (m *member) proveFromFiles(ctx context.Context, sent *audit.Signed, old int64) (tlog.TreeProof, error) {
	if old == m.unproven && m.group.opts.Now().Before(m.again) {
		return nil, m.why
	}
	proof, err := sent.Proof(ctx, old)
	if err != nil && !errors.Is(err, audit.ErrIncomplete) && ctx.Err() == nil {
		m.unproven, m.again, m.why = old, m.group.opts.Now().Add(proofRetry), err
	}
	return proof, err
}

// lostError is the size that a witness had before an acknowledged rollback.
type lostError int64

func (e lostError) Error() string {
	return fmt.Sprintf("it remembers %d lines from before the rollback that was acknowledged, and will not cosign this log; "+
		"set a new audit.origin and register it there", int64(e))
}

// clear ends the doubt: the witness did not take what was sent.
func (m *member) clear() {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	m.doubt = nil
}

// cosign takes a cosignature into the log. A second one of the same size only
// shows that the witness is there.
func (m *member) cosign(ctx context.Context, sent *audit.Signed, c Cosignature) {
	g := m.group
	g.mu.Lock()
	first := sent.Size > m.cosigned
	m.doubt, m.size, m.known = nil, sent.Size, true
	m.cosigned, m.at, m.seen = max(m.cosigned, sent.Size), c.Time, g.elapsed()
	if now := g.opts.Now(); m.at.After(now) {
		m.at = now
	}
	g.count()
	g.mu.Unlock()
	if !first {
		return
	}
	limited, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	if err := g.opts.Log.Cosigned(limited, sent.Checkpoint, m.Key.Name(), c.Line); err != nil && ctx.Err() == nil {
		g.opts.Logger.Warn("a cosignature was not written to the audit log; the next checkpoint gets another", "witness", m.Key.Name(), "error", err)
	}
}

// learn takes the size that the witness says it has.
func (m *member) learn(size int64, newest *audit.Signed) error {
	m.group.mu.Lock()
	m.doubt = nil
	if size <= newest.Size {
		m.size, m.known = size, true
	}
	m.group.mu.Unlock()
	if size > newest.Size {
		return m.rolledBack(size, newest, false)
	}
	return nil
}

// rolledBack stops the log, unless a person has accepted that the witness
// remembers another one.
func (m *member) rolledBack(size int64, newest *audit.Signed, split bool) error {
	e := &audit.RolledBackError{By: "the witness " + m.Key.Name(), Size: size, Lines: newest.Size, Split: split}
	if m.group.opts.Log.RollBack(e) {
		return e
	}
	return lostError(size)
}

// conclude keeps the outcome, and logs it if it changed.
func (m *member) conclude(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // a request cut short by the stop says nothing
	}
	g := m.group
	g.mu.Lock()
	was := m.err
	m.err = err
	g.mu.Unlock()
	switch {
	case err != nil && was == nil:
		g.opts.Logger.Warn("a witness did not cosign the audit log, retrying", "witness", m.Key.Name(), "url", m.URL, "error", err)
	case err == nil && was != nil:
		g.opts.Logger.Info("the witness cosigns the audit log again", "witness", m.Key.Name())
	}
}

func (m *member) status() ipc.WitnessStatus {
	s := ipc.WitnessStatus{Name: m.Key.Name(), URL: m.URL, Lines: m.cosigned, Time: m.at}
	if m.err != nil {
		s.Error = m.err.Error()
	}
	return s
}
