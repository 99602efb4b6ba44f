package audit

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
)

// ErrRolledBack is why a log accepts no lines that lacks some it had, or has
// others in their place. It comes in a *RolledBackError.
var ErrRolledBack = errors.New("the audit log was rolled back")

// RolledBackError says who remembers another log than this one. It unwraps to
// ErrRolledBack.
type RolledBackError struct {
	By    string // such as "the witness example.com/witness"
	Size  int64  // the number of lines that they remember
	Lines int64  // the number of lines in the log
	Split bool   // the log is long enough, but its lines are not those
	Why   string // why its files do not show that they are; "" if they contradict it
}

func (e *RolledBackError) Error() string {
	what := "the log has only %d"
	switch {
	case e.Why != "":
		what = "nothing shows that the log's %d lines continue those (" + strings.ReplaceAll(e.Why, "%", "%%") + ")"
	case e.Split:
		what = "the log's %d lines are not a continuation of those"
	}
	return fmt.Sprintf("%v: %s has a checkpoint over %d lines, but "+what+"; restore the missing lines from a copy, "+
		"or accept the loss with \"assertd audit accept-rollback --size %d\"", ErrRolledBack, e.By, e.Size, e.Lines, e.Size)
}

// Unwrap returns ErrRolledBack.
func (e *RolledBackError) Unwrap() error { return ErrRolledBack }

// RollBack makes the log accept no more lines. It is for the caller that finds
// a rollback while the log is open. It has no effect if the size that someone
// remembers was acknowledged; then it returns false.
func (l *Log) RollBack(e *RolledBackError) (stopped bool) {
	if e.Size <= l.acknowledged {
		return false
	}
	if l.rolledBack.CompareAndSwap(nil, e) {
		l.opts.Logger.Error("the audit log was rolled back, refusing requests", "file", l.opts.File, "error", e)
	}
	return true
}

// Acknowledged returns the size up to which rollbacks were acknowledged.
func (l *Log) Acknowledged() int64 { return l.acknowledged }

// Acknowledgment is a person's decision to continue a log that was rolled back.
// It is a line of the log. Header and checkpoint lines carry the size on.
type Acknowledgment struct {
	// Size is the number of lines up to which other memories of the log are
	// ignored from now on, as in the RolledBackError.
	Size   int64
	Reason string

	// Witnessed is the largest size that a witness has said that it remembers.
	// Unasked says that others were not asked.
	Witnessed int64
	Unasked   bool
}

// acknowledgmentLine is an Acknowledgment as a line of the log.
type acknowledgmentLine struct {
	Time   time.Time `json:"time"`
	Size   int64     `json:"size"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
}

func (a acknowledgmentLine) body() []byte { return jsonBody(kindAcknowledgment, a) }

// Acknowledge writes the line to a log that no daemon has open. It names the
// user of this process. It reads the anchor: if nobody remembers as many lines
// as that, a later rollback would go unnoticed.
func Acknowledge(o Options, a Acknowledgment) error {
	if a.Size <= 0 || strings.TrimSpace(a.Reason) == "" {
		return errors.New("audit: acknowledge: the size and the reason are required")
	}
	o.setDefaults()
	anchored, ok, err := readAnchor(o.Trust, o.Anchor, o.Timeout)
	if err != nil || !ok {
		a.Unasked = a.Unasked || a.Witnessed == 0 || err != nil
	}
	o.Anchor = "" // it stays until the daemon starts
	l, err := open(o, (*writer).ignoreAnchor)
	if err != nil {
		return err
	}
	if err := a.check(max(anchored.Size, a.Witnessed), l.w.head.tree.size); err != nil {
		return errors.Join(err, l.Close())
	}
	return errors.Join(l.w.acknowledge(a), l.Close())
}

// check compares the size with what others remember at most, or if not all of
// them are known, with what a log of so many lines can have had.
func (a Acknowledgment) check(remembered, lines int64) error {
	most := remembered
	if a.Unasked {
		most = max(most, lines+maxLost)
	}
	if a.Size <= most {
		return nil
	}
	return fmt.Errorf("audit: acknowledge: nobody can remember %d lines, the maximum is %d; use the size in the daemon's error, "+
		"since a rollback up to that size goes unnoticed from then on", a.Size, most)
}

// NewestNote returns the newest checkpoint (a signed note) that a log has, for
// asking others what they remember. The error is ErrNoLog if it has none.
func NewestNote(path string) ([]byte, Checkpoint, error) {
	files, err := openWhole(path)
	if err != nil {
		return nil, Checkpoint{}, err
	}
	defer files.close()
	for _, f := range slices.Backward(files.files) {
		if isCompressed(f.Name()) {
			continue
		}
		lines := newBackwardReader(f, f.size)
		for line, _, ok := lines.previous(); ok; line, _, ok = lines.previous() {
			if l, err := parseLink(line); err != nil || l.kind != kindCheckpoint {
				continue
			}
			if c, err := parseCheckpointLine(line); err == nil {
				checkpoint, _, err := OpenCheckpoint([]byte(c.Note), nil)
				return []byte(c.Note), checkpoint, err
			}
		}
	}
	return nil, Checkpoint{}, fmt.Errorf("%w: %s has no checkpoint", ErrNoLog, path)
}

func (w *writer) ignoreAnchor(Checkpoint) error { return nil }

func (w *writer) acknowledge(a Acknowledgment) error {
	line := acknowledgmentLine{Time: w.opts.Clock().UTC(), Size: a.Size, By: processUser(), Reason: a.Reason}
	w.queued = append(w.queued, line.body())
	w.acknowledged = max(w.acknowledged, a.Size)
	if err := w.write(nil); err != nil {
		return err
	}
	return w.file.sync()
}

// processUser names the user of this process, and the one who used sudo.
func processUser() string {
	uid := os.Getuid()
	name := fmt.Sprintf("uid %d", uid)
	if u, err := user.Current(); err == nil {
		name = fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		name += ", sudo by " + sudo
	}
	return name
}
