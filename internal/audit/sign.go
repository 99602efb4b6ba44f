package audit

import (
	"context"
	"fmt"
)

// maxBehind is how many lines a checkpoint may stand behind the size that it signs. It bounds what a verifier has to keep.
const maxBehind = 1 << 18

// signature is what came of signing one checkpoint.
type signature struct {
	checkpoint Checkpoint
	note       []byte
	err        error
}

// startCheckpoint has the tree as it is now signed beside the writer: records never wait for the key. It does nothing where
// the last checkpoint still covers everything but its own line, so that an idle log does not grow.
func (w *writer) startCheckpoint() {
	if w.opts.Key == nil || w.signing || w.head.tree.size == w.checkpointEnd {
		return
	}
	w.signing = true
	c := Checkpoint{Origin: w.opts.Origin, Size: w.head.tree.size, Root: w.head.tree.root()}
	f := w.file
	w.jobs.Go(func() {
		msg, err := w.signCheckpoint(c, f)
		w.signed <- signature{checkpoint: c, note: msg, err: err}
	})
}

// signCheckpoint signs what is on the disk alone, whatever Options.Sync says: lines lost with the power after others saw the
// checkpoint over them would leave a log that contradicts it for ever.
func (w *writer) signCheckpoint(c Checkpoint, f *file) ([]byte, error) {
	if err := f.sync(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(w.ctx, w.opts.CheckpointTimeout)
	defer cancel()
	key, err := w.opts.Key(ctx)
	if err != nil {
		return nil, err
	}
	msg, err := c.sign(ctx, key)
	if err != nil {
		return nil, err
	}
	return msg, c.verifySignature(msg, key)
}

// endCheckpoint writes the checkpoint's line and does the rotation that waited for it.
func (w *writer) endCheckpoint(s signature) {
	w.signing = false
	w.signErr = w.writeCheckpoint(s)
	if w.signErr != nil {
		w.opts.Logger.Warn("audit checkpoint failed: records go on, the next attempt is at the next interval", "error", w.signErr)
	}
	w.finishRotation()
}

func (w *writer) writeCheckpoint(s signature) error {
	if s.err != nil {
		return fmt.Errorf("sign: %w", s.err)
	}
	if behind := w.head.tree.size - s.checkpoint.Size; behind > maxBehind {
		return fmt.Errorf("the signature came %d lines late; at most %d are allowed", behind, maxBehind)
	}
	now := w.opts.Clock().UTC()
	line := checkpointLine{Time: now, Size: s.checkpoint.Size, Note: string(s.note)}
	w.queued = append(w.queued, line.body())
	if err := w.write(nil); err != nil {
		w.queued = w.queued[:len(w.queued)-1]
		return err
	}
	// Records that came while the key signed are not covered: then the log is not idle, and the next interval signs again.
	w.covered, w.checkpointEnd, w.coveredAt = s.checkpoint.Size, s.checkpoint.Size+1, now
	return nil
}

// lastCheckpoint signs everything that was written. A signature already in progress
// may lack the newest records; if it fails there is no second attempt, because
// shutdown should wait only once for a key that is away.
func (w *writer) lastCheckpoint() {
	if w.signing && w.awaitCheckpoint() != nil {
		return
	}
	w.startCheckpoint()
	if w.signing {
		_ = w.awaitCheckpoint() // endCheckpoint logged it
	}
}

func (w *writer) awaitCheckpoint() error {
	w.endCheckpoint(<-w.signed)
	return w.signErr
}
