package ship

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/trustpath"
)

// cursor is the file that says what a destination has.
type cursor struct{ path string }

// cursorState is the content of the file.
type cursorState struct {
	Destination string `json:"destination"`
	audit.Position
}

// newCursor names the file after the destination: one that is new starts with
// the oldest line, and one that was removed and comes back goes on.
func newCursor(log, destination string) cursor {
	sum := sha256.Sum256([]byte(destination))
	return cursor{log + ".ship-" + hex.EncodeToString(sum[:6]) + audit.CursorSuffix}
}

// load returns where to go on: at the oldest line without a file.
func (c cursor) load() (audit.Position, error) {
	content, err := trustpath.ReadRegular(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return audit.Oldest(), nil
	}
	var s cursorState
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	if err == nil && s.Next < 0 {
		err = errors.New("a negative number")
	}
	if err != nil {
		return s.Position, fmt.Errorf("read the cursor %s: %w; remove it to ship the whole log again", c.path, err)
	}
	return s.Position, nil
}

// clean removes what save left if the process was killed.
func (c cursor) clean() error { return atomicfile.RemoveLeftovers(c.path, 0) }

func (c cursor) save(destination string, at audit.Position) error {
	content, err := json.Marshal(cursorState{destination, at})
	if err != nil {
		return err
	}
	return atomicfile.Replace(c.path, append(content, '\n'), 0o600)
}
