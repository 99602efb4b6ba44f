package freeze

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
)

const (
	formatVersion = 1
	// fleetVersion is the version of a file that has the fleet's words too.
	fleetVersion = 2
	// maxFile is in bytes: maxFreezes of the longest names and reasons, and the
	// fleet's maxWords.
	maxFile = 96 << 20
)

// document is the file. The sum tells a file that was damaged, or edited by
// hand, from one that the daemon wrote.
type document struct {
	Version int             `json:"version"`
	SHA256  string          `json:"sha256"` // of freezes, and then words, without spaces
	Freezes json.RawMessage `json:"freezes"`
	Words   json.RawMessage `json:"words,omitempty"` // since version 2
}

// encode writes version 1 where there is no fleet.
func encode(freezes []ipc.Freeze, words []Word) []byte {
	file := document{Version: formatVersion, Freezes: mustMarshal(freezes)}
	if len(words) > 0 {
		file.Version, file.Words = fleetVersion, mustMarshal(words)
	}
	file.SHA256 = file.sum()
	return append(mustMarshal(file), '\n')
}

func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // only a year that RFC 3339 can't have, and freezes end within one
	}
	return text
}

func (d document) sum() string {
	hash := sha256.Sum256(slices.Concat(d.Freezes, d.Words))
	return hex.EncodeToString(hash[:])
}

// errDamaged means that the file is not one that a daemon wrote.
var errDamaged = errors.New("damaged")

func decode(content []byte) (map[ipc.FreezeTarget]ipc.Freeze, map[ipc.FreezeTarget]Word, error) {
	var file document
	if err := strictly(content, &file); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if file.Version != formatVersion && file.Version != fleetVersion {
		return nil, nil, fmt.Errorf("%w: version %d, and this daemon reads versions up to %d", errDamaged, file.Version, fleetVersion)
	}
	if file.sum() != file.SHA256 {
		return nil, nil, fmt.Errorf("%w: the checksum is wrong", errDamaged)
	}
	freezes, err := file.freezes()
	if err != nil {
		return nil, nil, err
	}
	words, err := file.words()
	return freezes, words, err
}

func (d document) words() (map[ipc.FreezeTarget]Word, error) {
	if d.Version < fleetVersion {
		return nil, nil
	}
	var list []Word
	if err := strictly(d.Words, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	words := make(map[ipc.FreezeTarget]Word, len(list))
	for _, w := range list {
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		words[w.Freeze.FreezeTarget] = w
	}
	return words, nil
}

func (d document) freezes() (map[ipc.FreezeTarget]ipc.Freeze, error) {
	var list []ipc.Freeze
	if err := strictly(d.Freezes, &list); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	freezes := make(map[ipc.FreezeTarget]ipc.Freeze, len(list))
	for _, f := range list {
		if _, twice := freezes[f.FreezeTarget]; twice || f.Scope() == "" || f.Since.IsZero() {
			return nil, fmt.Errorf("%w: an impossible freeze", errDamaged)
		}
		freezes[f.FreezeTarget] = f
	}
	return freezes, nil
}

// strictly decodes one JSON document without unknown members.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the JSON document")
	}
	return nil
}

// Load puts the freezes of the file in force. If the file is damaged, nobody
// knows what was frozen: it is set aside, and everything is frozen. The error
// is for what a start can't go on with. Call it once, before Run.
func (b *Board) Load(ctx context.Context) error {
	if b.File == "" {
		return nil
	}
	content, err := b.Trust.Read(b.File, trustpath.File, maxFile)
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, trustpath.ErrUntrusted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load freezes: %w", err)
	}
	freezes, words, err := decode(content)
	if err != nil {
		return b.freezeAll(ctx, err)
	}
	b.change(func(entries map[ipc.FreezeTarget]ipc.Freeze) {
		for target, f := range freezes {
			entries[target] = f
		}
		b.recall(words)
	})
	if len(freezes) > 0 {
		b.Logger.Warn("still frozen after a restart", "targets", names(sorted(freezes)))
	}
	return nil
}

// recall takes over the words of an earlier run. A freeze without one is this
// host's only: it was made before there was a fleet, or stands in for a damaged
// file. The caller holds mu.
func (b *Board) recall(words map[ipc.FreezeTarget]Word) {
	if b.Fleet != nil {
		maps.Copy(b.words, words)
	}
}

// freezeAll stands in for a damaged file.
func (b *Board) freezeAll(ctx context.Context, damage error) error {
	aside, err := atomicfile.SetAside(b.File, b.Now())
	if err != nil {
		return fmt.Errorf("load freezes: %s: %w, and it could not be set aside: %w", b.File, damage, err)
	}
	req := ipc.FreezeRequest{FreezeTarget: ipc.FreezeTarget{All: true}, Reason: fmt.Sprintf(
		"the freezes file was damaged and is now %s; freeze again what was frozen, then run: assertctl thaw --all", filepath.Base(aside))}
	all := b.newFreeze(self(), req)
	if _, err := b.Files.Update(ctx, b.File, encode([]ipc.Freeze{all}, nil), 0o600); err != nil {
		return fmt.Errorf("load freezes: %s: %w; set aside as %s, and its replacement can't be written: %w", b.File, damage, aside, err)
	}
	b.change(func(entries map[ipc.FreezeTarget]ipc.Freeze) { entries[all.FreezeTarget] = all })
	b.postpone(b.recordOf(audit.KindFreeze, self(), all))
	b.Logger.Error("the freezes file is damaged, so everything is frozen; find out from the file or the audit log what was frozen, freeze it again, then run: assertctl thaw --all",
		"file", b.File, "aside", aside, "error", damage)
	return nil
}
