package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// maxBehind is how many lines a checkpoint may be behind the size that it
// signs. It limits how many leaves a verifier must keep.
const maxBehind = 1 << 18

// signature is the result of signing one checkpoint.
type signature struct {
	checkpoint Checkpoint
	note       []byte
	proofs     map[int64]tlog.TreeProof // from the sizes that a witness may have
	err        error
}

// startCheckpoint signs the current tree in the background, so that records
// never wait for the key. It does nothing if the last checkpoint covers
// everything but its own line, so that an idle log does not grow. Nothing signs
// a damaged log.
func (w *writer) startCheckpoint() {
	if w.opts.Key != nil && !w.damaged && w.rolledBack.Load() == nil && w.head.tree.size != w.checkpointEnd {
		w.signNow()
	}
}

// signNow is startCheckpoint, but also for an idle log.
func (w *writer) signNow() {
	if w.signing {
		return
	}
	w.signing, w.signingSize = true, w.head.tree.size
	proofs := w.pin()
	c := Checkpoint{Origin: w.opts.Origin, Size: w.head.tree.size, Root: w.head.tree.root()}
	f := w.file
	w.jobs.Go(func() {
		msg, err := w.signCheckpoint(c, f)
		w.signed <- signature{checkpoint: c, note: msg, proofs: proofs, err: err}
	})
}

// signCheckpoint signs only what is on disk, whatever Options.Sync says. If a
// power loss took lines after others saw the checkpoint over them, the log
// would contradict that checkpoint forever.
func (w *writer) signCheckpoint(c Checkpoint, f *file) ([]byte, error) {
	w.disk.begin(opCheckpoint)
	err := f.sync()
	w.disk.end(opCheckpoint)
	if err != nil {
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

// endCheckpoint writes the line of the checkpoint and completes the rotation
// that waited for it.
func (w *writer) endCheckpoint(s signature) {
	w.signing = false
	w.signErr = w.writeCheckpoint(s)
	if w.signErr != nil {
		w.unpin(s.checkpoint.Size)
	}
	w.deliver(&s, w.signErr)
	if w.signErr != nil {
		w.opts.Logger.Warn("audit checkpoint failed, retrying at the next interval; records continue", "error", w.signErr)
	}
	w.finishRotation()
}

func (w *writer) writeCheckpoint(s signature) error {
	if s.err != nil {
		return fmt.Errorf("sign: %w", s.err)
	}
	if w.damaged { // the damage was found during the signature
		return ErrDamaged
	}
	if behind := w.head.tree.size - s.checkpoint.Size; behind > maxBehind {
		return fmt.Errorf("the signature came %d lines late, and the maximum is %d; see why the HSM is slow", behind, maxBehind)
	}
	now := w.opts.Clock().UTC()
	w.checkpoint = &checkpointLine{Time: now, Size: s.checkpoint.Size, Note: string(s.note)}
	err := w.write(nil)
	w.checkpoint = nil
	if err != nil {
		return err
	}
	// Records that came during the signature are not covered, so the log is not
	// idle and the next interval signs again.
	w.newest = s.checkpoint
	w.covered, w.checkpointEnd, w.coveredAt = s.checkpoint.Size, s.checkpoint.Size+1, now
	return nil
}

// lastCheckpoint signs everything that was written. A signature already in
// progress may lack the newest records. If that one fails, there is no second
// attempt, because shutdown should wait only once for a missing key.
func (w *writer) lastCheckpoint() {
	if w.signing && w.awaitCheckpoint() != nil {
		return
	}
	w.startCheckpoint()
	if w.signing {
		_ = w.awaitCheckpoint() // endCheckpoint logs the error
	}
}

// awaitCheckpoint waits for the key, not for the disk.
func (w *writer) awaitCheckpoint() error {
	w.disk.end(opWrite)
	s := <-w.signed
	w.disk.begin(opWrite)
	w.endCheckpoint(s)
	return w.signErr
}
