package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a root of the tree, as in C2SP tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// text returns what is signed.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// sign returns the checkpoint as a signed note.
func (c Checkpoint) sign(ctx context.Context, key Key) ([]byte, error) {
	signer, err := newNoteSigner(ctx, c.Origin, key)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// verifySignature checks a new signature with the public key before it is
// written: a bad one in the log could never be fixed.
func (c Checkpoint) verifySignature(msg []byte, key Key) error {
	v, err := NewVerifier(c.Origin, key.Public)
	if err != nil {
		return err
	}
	if _, signed, err := OpenCheckpoint(msg, []note.Verifier{v}); err != nil || !signed {
		return fmt.Errorf("%w: its signature does not match its public key; run \"assertd check\" to see the key pair", ErrKey)
	}
	return nil
}

// parseCheckpointText reads the first three lines of a checkpoint. Extension
// lines may follow; it ignores them.
func parseCheckpointText(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) != 4 || lines[0] == "" {
		return Checkpoint{}, errors.New("checkpoint has fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, fmt.Errorf("checkpoint has an invalid tree size %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint has an invalid root %q", lines[2])
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// OpenCheckpoint reads a signed checkpoint. signed reports whether one of the
// verifiers' keys signed it under the name of its origin. A wrong signature by
// one of these keys is an error. One by an unknown key is not.
func OpenCheckpoint(msg []byte, verifiers []note.Verifier) (c Checkpoint, signed bool, err error) {
	n, err := note.Open(msg, note.VerifierList(verifiers...))
	if unverified, ok := err.(*note.UnverifiedNoteError); ok {
		c, err = parseCheckpointText(unverified.Note.Text)
		return c, false, err
	}
	if err != nil {
		return Checkpoint{}, false, err
	}
	if c, err = parseCheckpointText(n.Text); err != nil {
		return Checkpoint{}, false, err
	}
	for _, s := range n.Sigs {
		signed = signed || s.Name == c.Origin
	}
	return c, signed, nil
}

// checkpointLine is a checkpoint as a line of the log.
type checkpointLine struct {
	Time time.Time `json:"time"`
	Size int64     `json:"size"` // as in the note, for anyone who reads the line
	Note string    `json:"note"`
	// Edge is that of the tree of all lines before this one, as in a header: a
	// start can continue here. Early builds left it out.
	Edge []tlog.Hash `json:"edge,omitempty"`
	carried
}

func (c checkpointLine) body() []byte { return jsonBody(kindCheckpoint, c) }

func parseCheckpointLine(line []byte) (checkpointLine, error) {
	var c checkpointLine
	err := json.Unmarshal(line, &c)
	return c, err
}
