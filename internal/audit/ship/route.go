package ship

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

const (
	pollInterval   = 200 * time.Millisecond // between looks at the log and for deliveries
	saveInterval   = time.Second            // between writes of the cursor
	connectTimeout = 10 * time.Second
	sendTimeout    = 30 * time.Second // of one batch, or of one request
	firstBackoff   = 250 * time.Millisecond
	maxBackoff     = 30 * time.Second
	maxPause       = 5 * time.Minute // that a collector can ask for
	lastAttempt    = 2 * time.Second // at the end

	maxBatchLines = 512
	maxBatchBytes = 1 << 20
	maxOnTheWay   = 4096 // batches that were sent and not yet delivered
)

// route ships the log to one destination.
type route struct {
	opts     *Options
	to       Destination
	cursor   cursor
	throttle *logging.Throttle

	log   *audit.Follower
	at    audit.Position // everything before it was delivered
	ready bool           // at is known
	saved audit.Position
	since time.Time // when it was saved

	conn     connection
	sent     int64       // lines, over conn
	onTheWay []sentBatch // over conn

	mu    sync.Mutex
	state ipc.ShipStatus
}

// sentBatch is what must be known of a batch until it is delivered. The lines
// stay in the files.
type sentBatch struct {
	end     int64          // lines that were sent over the connection up to here
	after   audit.Position // behind its last line
	oldest  time.Time      // of its lines
	missing int64          // lines before and between them
}

func newRoute(o *Options, d Destination) *route {
	return &route{
		opts: o, to: d, cursor: newCursor(o.File, d.String()), throttle: logging.NewThrottle(o.Now),
		state: ipc.ShipStatus{Destination: d.String()},
	}
}

// run ships until ctx ends.
func (r *route) run(ctx context.Context) {
	for backoff := firstBackoff; ; {
		before := r.at.Next
		err := r.ship(ctx)
		if ctx.Err() != nil {
			break
		}
		if r.at.Next > before {
			backoff = firstBackoff
		}
		r.fail(err)
		if !sleep.For(ctx, pause(err, backoff)) {
			break
		}
		backoff = min(2*backoff, maxBackoff)
	}
	r.disconnect()
	r.save(true)
}

// pause is how long to wait after an error: as long as the collector asks for,
// or somewhat less than backoff, so that many senders do not come at once.
func pause(err error, backoff time.Duration) time.Duration {
	var status *statusError
	if errors.As(err, &status) && status.after > 0 {
		return status.after
	}
	return backoff/2 + rand.N(backoff/2)
}

// ship connects, and ships until something fails or ctx ends. Then it tries
// what is left once more, for a short time.
func (r *route) ship(ctx context.Context) error {
	defer r.disconnect()
	if err := r.load(); err != nil {
		return err
	}
	r.peek()
	if err := r.connect(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		more, err := r.step(ctx)
		if err != nil {
			return err
		}
		if !more && !sleep.For(ctx, pollInterval) {
			break
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAttempt)
	defer cancel()
	for more, err := r.step(last); err == nil && (more || len(r.onTheWay) > 0); more, err = r.step(last) {
		if !sleep.For(last, pollInterval/10) {
			break
		}
	}
	return nil
}

// load reads the cursor, once.
func (r *route) load() (err error) {
	if r.ready {
		return nil
	}
	if err := r.cursor.clean(); err != nil {
		return err
	}
	if r.at, err = r.cursor.load(); err == nil {
		r.ready, r.saved = true, r.at
	}
	return err
}

// peek looks at the line that is next, so that the lag is known even if the
// destination is not there.
func (r *route) peek() {
	log := audit.Follow(r.opts.File, r.at)
	defer log.Close()
	line, err := log.Next(r.opts.Log.Status().Durable)
	if err != nil {
		return // connected, read reports it
	}
	r.begin(line)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.Oldest = line.Time
}

// begin makes the first line of a log that is shipped for the first time the
// next one: if it is removed from here on, it counts as missing.
func (r *route) begin(first audit.Line) {
	if r.at == audit.Oldest() {
		r.at.Next = first.Seq
		r.save(true)
	}
}

func (r *route) connect(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if r.conn, err = r.to.connect(ctx); err == nil {
		r.log = audit.Follow(r.opts.File, r.at)
	}
	return err
}

// disconnect forgets what is on the way: it is sent again.
func (r *route) disconnect() {
	if r.conn == nil {
		return
	}
	r.conn.close()
	r.log.Close()
	r.conn, r.sent, r.onTheWay = nil, 0, nil
}

// step sends a batch, and finds out what was delivered. more says that another
// one is likely to be there.
func (r *route) step(ctx context.Context) (more bool, err error) {
	if len(r.onTheWay) < maxOnTheWay {
		more, err = r.sendBatch(ctx)
	}
	return more, errors.Join(err, r.confirm())
}

func (r *route) sendBatch(ctx context.Context) (more bool, err error) {
	batch, more, err := r.read()
	if err != nil || len(batch) == 0 {
		return false, err
	}
	r.sent += int64(len(batch))
	b := sentBatch{end: r.sent, after: batch[len(batch)-1].After, oldest: batch[0].Time}
	for _, line := range batch {
		b.missing += line.Missing
	}
	r.onTheWay = append(r.onTheWay, b)
	r.report(nil)
	rejected, err := r.conn.send(ctx, batch)
	if rejected.lines > 0 {
		r.lose(rejected.lines, "the destination refuses lines of the audit log, and they are not sent again; see why, and import them there if they matter",
			"first", batch[0].Seq, "last", batch[len(batch)-1].Seq, "error", rejected.why)
	}
	return more, err
}

// read reads a batch from the files.
func (r *route) read() (batch []audit.Line, more bool, err error) {
	limit := r.opts.Log.Status().Durable
	for size := 0; len(batch) < maxBatchLines && size < maxBatchBytes; {
		line, err := r.log.Next(limit)
		switch {
		case errors.Is(err, io.EOF):
			return batch, false, nil
		case errors.Is(err, audit.ErrDiverged):
			r.restart(err)
			return nil, true, nil
		case err != nil:
			return batch, false, err
		}
		r.begin(line)
		size += len(line.Text)
		batch = append(batch, line)
	}
	return batch, true, nil
}

// restart begins with the oldest line: which of the lines that were delivered
// the log still has is unknown.
func (r *route) restart(err error) {
	r.opts.Logger.Error("the audit log was rolled back or replaced since it was shipped, shipping all of it again",
		"destination", r.to.String(), "shipped", r.at.Next, "error", err)
	r.log.Close()
	r.at = audit.Oldest()
	r.log = audit.Follow(r.opts.File, r.at)
}

// confirm moves the cursor behind what was delivered.
func (r *route) confirm() error {
	arrived, err := r.conn.delivered()
	for len(r.onTheWay) > 0 && r.onTheWay[0].end <= arrived {
		b := r.onTheWay[0]
		if b.missing > 0 {
			r.lose(b.missing, "lines of the audit log were removed or damaged before they were shipped; import them there if a copy has them",
				"before", b.after.Next)
		}
		r.at, r.onTheWay = b.after, r.onTheWay[1:]
	}
	if err == nil {
		r.save(false)
		r.report(nil)
	}
	return err
}

// lose counts lines that can't be shipped.
func (r *route) lose(lines int64, why string, details ...any) {
	r.mu.Lock()
	r.state.Missing += lines
	r.mu.Unlock()
	r.throttle.Log(r.opts.Logger.Error, why, why, append([]any{"destination", r.to.String(), "lines", lines}, details...)...)
}

// save writes the cursor if it is due. If that fails, only more is sent again.
func (r *route) save(now bool) {
	if !r.ready || r.at == r.saved || r.at == audit.Oldest() || !now && time.Since(r.since) < saveInterval {
		return
	}
	r.since = time.Now()
	if err := r.cursor.save(r.to.String(), r.at); err != nil {
		r.throttle.Log(r.opts.Logger.Warn, "cursor", "can't save how far the audit log was shipped; a restart sends lines again",
			"destination", r.to.String(), "error", err)
		return
	}
	r.saved = r.at
}

// fail reports why the route does not get on.
func (r *route) fail(err error) {
	if err == nil {
		return
	}
	r.throttle.Log(r.opts.Logger.Warn, "ship", "audit log not shipped, retrying", "destination", r.to.String(), "error", err)
	r.report(err)
}

// report makes the state visible to status. An error stays until something was
// delivered.
func (r *route) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := max(0, r.at.Next)
	switch {
	case err != nil:
		r.state.Error = errorf(r.to, err).Error()
	case len(r.onTheWay) > 0:
		r.state.Oldest = r.onTheWay[0].oldest
	default:
		r.state.Oldest = time.Time{}
	}
	if err == nil && (lines > r.state.Lines || len(r.onTheWay) == 0) {
		r.state.Error = ""
	}
	r.state.Lines = lines
}

// status returns the state, for a log with so many lines.
func (r *route) status(lines int64) ipc.ShipStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.state
	s.Pending = max(0, lines-s.Lines)
	return s
}
