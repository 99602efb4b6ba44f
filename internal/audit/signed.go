package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Signed is a checkpoint of the log, on disk with all lines below it, and the
// proofs that a witness asks for.
type Signed struct {
	Checkpoint
	Note []byte // the signed note

	proofs map[int64]tlog.TreeProof
	file   string // of the log
}

// Expects reports whether a witness may have this size, as far as the log
// knows. Then Proof needs no file.
func (s *Signed) Expects(size int64) bool {
	_, ok := s.proofs[size]
	return ok || size == 0
}

// Proof returns the consistency proof (RFC 6962, section 2.1.2) from an earlier
// size to the checkpoint. If the log did not expect a witness to have that
// size, Proof reads all files at half speed, which takes a while. The error is
// ErrIncomplete, at once, if the older files are missing.
func (s *Signed) Proof(ctx context.Context, size int64) (tlog.TreeProof, error) {
	if size == 0 {
		return nil, nil // as C2SP tlog-witness defines it
	}
	if proof, ok := s.proofs[size]; ok {
		return proof, nil
	}
	if size < 0 || size > s.Size {
		return nil, fmt.Errorf("audit: no tree of %d lines is part of one of %d", size, s.Size)
	}
	return s.proofFromFiles(ctx, size)
}

func (s *Signed) proofFromFiles(ctx context.Context, size int64) (tlog.TreeProof, error) {
	files, err := openLogFiles([]string{s.file}, true)
	if err != nil {
		return nil, err
	}
	defer files.close()
	var want neededHashes
	if _, err := tlog.ProveTree(s.Size, size, &want); err != nil {
		return nil, err
	}
	if first := files.files[0].seq; want.before(first) {
		return nil, fmt.Errorf("%w: a proof from %d lines needs files from before record %d; put them back beside the log", ErrIncomplete, size, first)
	}
	if err := want.collect(files.read(ctx, halfSpeed(ctx)), s.Size); err != nil {
		return nil, err
	}
	if want.missing() {
		return nil, fmt.Errorf("audit: a proof from %d lines needs lines that are missing; run \"assertd audit verify\"", size)
	}
	return tlog.ProveTree(s.Size, size, &want)
}

// halfSpeed is a logReader's progress that rests as long as it reads: signing
// goes on meanwhile.
func halfSpeed(ctx context.Context) func(done, total int64) {
	from := time.Now()
	return func(int64, int64) {
		_ = pause(ctx, time.Since(from)) // the reader has the error
		from = time.Now()
	}
}

// Signed sends each new checkpoint, or only the newest if the receiver is slow.
// It needs Options.Witnessed.
func (l *Log) Signed() <-chan *Signed { return l.w.deliveries }

// Checkpoint signs a checkpoint now, even of an idle log, and returns it. It
// needs Options.Witnessed, and Run. If a signature was already in progress, it
// returns that one.
func (l *Log) Checkpoint(ctx context.Context) (*Signed, error) {
	done := make(chan delivery, 1)
	err := l.ask(ctx, func() error { l.w.demandCheckpoint(done); return nil })
	if err != nil {
		return nil, fmt.Errorf("audit: checkpoint: %w", err)
	}
	select {
	case d := <-done:
		return d.signed, d.err
	case <-l.stopped:
		return nil, fmt.Errorf("audit: checkpoint: %w", errClosed)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Retain drops the pins of all sizes that are not in the list, except for the
// newest checkpoint's. The caller lists the sizes that a witness may have.
func (l *Log) Retain(ctx context.Context, sizes ...int64) error {
	return l.ask(ctx, func() error { l.w.retain(sizes); return nil })
}

// Pinned lists the sizes that a witness may have had when the log was opened.
func (l *Log) Pinned() []int64 { return l.pinned }

// delivery is a checkpoint for a caller of Checkpoint, or why there is none.
type delivery struct {
	signed *Signed
	err    error
}

var errNoKey = errors.New("audit: the log has no checkpoint key; set audit.checkpoint_key")

func (w *writer) demandCheckpoint(done chan delivery) {
	if w.opts.Key == nil {
		done <- delivery{err: errNoKey}
		return
	}
	w.demands = append(w.demands, done)
	w.signNow()
}

// deliver hands a checkpoint over once its line is on disk. A witness must
// never know of a line that a power loss can take: that would look like a
// rollback.
func (w *writer) deliver(s *signature, err error) {
	demands := w.demands
	w.demands = nil
	if err != nil {
		answer(demands, delivery{err: err})
		return
	}
	if !w.opts.Witnessed && w.anchor == nil {
		return
	}
	f := w.file
	w.jobs.Go(func() {
		if err := f.sync(); err != nil && !errors.Is(err, os.ErrClosed) { // a file that was closed was synced before
			answer(demands, delivery{err: err})
			return
		}
		w.anchor.store(s)
		signed := &Signed{Checkpoint: s.checkpoint, Note: s.note, proofs: s.proofs, file: w.opts.File}
		answer(demands, delivery{signed: signed})
		w.offer(signed)
	})
}

func answer(demands []chan delivery, d delivery) {
	for _, done := range demands {
		done <- d
	}
}

// offer replaces a checkpoint that nobody has received yet.
func (w *writer) offer(s *Signed) {
	for w.opts.Witnessed {
		select {
		case w.deliveries <- s:
			return
		default:
		}
		select {
		case <-w.deliveries:
		default:
		}
	}
}

// pin pins the size of a checkpoint that is about to be signed, and returns the
// proofs from the sizes pinned before.
func (w *writer) pin() map[int64]tlog.TreeProof {
	if !w.opts.Witnessed {
		if w.anchor == nil {
			return nil
		}
		w.retain(nil)
	}
	proofs := make(map[int64]tlog.TreeProof)
	for _, p := range w.head.pins {
		proof, err := p.proof(&w.head.tree)
		if err != nil { // the pin came from a damaged line; the files have the proof
			w.opts.Logger.Warn("the audit log can't prove that it extends an earlier checkpoint; it will read older files",
				"lines", p.tree.size, "error", err)
			continue
		}
		proofs[p.tree.size] = proof
	}
	if proofs[w.head.tree.size] == nil {
		w.head.pins = append(w.head.pins[:len(w.head.pins):len(w.head.pins)], &pin{tree: w.head.tree})
		proofs[w.head.tree.size] = tlog.TreeProof{}
	}
	return proofs
}

// unpin forgets a checkpoint that nobody will see.
func (w *writer) unpin(size int64) {
	w.head.pins = slices.DeleteFunc(slices.Clone(w.head.pins), func(p *pin) bool { return p.tree.size == size })
}

// retain keeps the newest checkpoints in any case: a witness may have them
// soon. It also keeps what the anchor may have.
func (w *writer) retain(sizes []int64) {
	sizes = append(slices.Clone(sizes), w.covered, w.signingSize)
	w.head.pins = slices.DeleteFunc(slices.Clone(w.head.pins), func(p *pin) bool {
		return !slices.Contains(sizes, p.tree.size) && !w.anchor.may(p.tree.size)
	})
}
