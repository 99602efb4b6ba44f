package audit

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// format names this version of the log format in each header line.
const format = "assertd-audit/1"

// link ties a line to the previous ones. Each line begins with it, in exactly
// this form:
//
//	{"seq":<leaf index in the tree>,"prev":"<leaf hash of the previous line, base64>","kind":"<kind>"
//
// prev of the very first line is the zero hash.
type link struct {
	seq  int64
	prev tlog.Hash
	kind string
}

// head is the end of the log: where the next line goes.
type head struct {
	tree tree
	prev tlog.Hash
	pins []*pin // what proofs for witnesses need; shared by copies of the head
}

// appendLine appends a line with this body (everything from "kind" on) and a
// newline to b, and moves the head past it.
func (h *head) appendLine(b, body []byte) []byte {
	start := len(b)
	b = append(appendLink(b, h.tree.size, h.prev), body...)
	h.prev = tlog.RecordHash(b[start:])
	h.add(h.prev)
	return append(b, '\n')
}

// add appends a leaf to the tree of the head and shows it to the pins.
func (h *head) add(leaf tlog.Hash) {
	stored := h.tree.add(leaf)
	for _, p := range h.pins {
		p.observe(h.tree.size, stored)
	}
}

// appendLink appends a link up to its kind.
func appendLink(b []byte, seq int64, prev tlog.Hash) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"prev":"`...)
	b = base64.StdEncoding.AppendEncode(b, prev[:])
	return append(b, `",`...)
}

var errMalformed = errors.New("not a line of this log")

// parseLink reads the link of a line without its newline. It is strict, so that
// a line can be read in only one way.
func parseLink(line []byte) (link, error) {
	var l link
	rest, ok := cutPrefix(line, `{"seq":`)
	if !ok || len(line) > MaxRecord || line[len(line)-1] != '}' {
		return l, errMalformed
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	seq, err := strconv.ParseInt(string(rest[:digits]), 10, 62)
	if err != nil || digits > 1 && rest[0] == '0' {
		return l, errMalformed
	}
	l.seq = seq
	rest, ok = cutPrefix(rest[digits:], `,"prev":"`)
	const encoded = 44 // of 32 bytes
	if !ok || len(rest) < encoded {
		return l, errMalformed
	}
	var prev [33]byte // DecodedLen counts the padding
	n, err := base64.StdEncoding.Strict().Decode(prev[:], rest[:encoded])
	if err != nil || n != tlog.HashSize {
		return l, errMalformed
	}
	copy(l.prev[:], prev[:])
	rest, ok = cutPrefix(rest[encoded:], `","kind":"`)
	if !ok {
		return l, errMalformed
	}
	l.kind, ok = leadingKind(rest)
	if !ok {
		return l, errMalformed
	}
	return l, nil
}

func cutPrefix(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// leadingKind reads a kind and the quote after it.
func leadingKind(b []byte) (string, bool) {
	for i, c := range b {
		if c == '"' {
			return string(b[:i]), validKind(string(b[:i]))
		}
	}
	return "", false
}

// validKind limits kinds to short words of lower-case letters, digits, "_" and
// "-".
func validKind(kind string) bool {
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return kind != "" && len(kind) <= 32
}

// header is the first line of each file. It carries the end of the previous
// file, so that the tree can continue from this file alone.
type header struct {
	Time   time.Time  `json:"time"`
	Format string     `json:"format"`
	Tree   headerTree `json:"tree"`
	carried
}

type headerTree struct {
	Size int64       `json:"size"`
	Root tlog.Hash   `json:"root"`
	Edge []tlog.Hash `json:"edge"`
}

// body is the line's part from "kind" on.
func (h header) body() []byte { return jsonBody(kindHeader, h) }

// parseHeader reads a header line and checks that its edge and its root match.
func parseHeader(line []byte) (header, tree, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return h, tree{}, err
	}
	if h.Format != format {
		return h, tree{}, fmt.Errorf("format %q, want %q", h.Format, format)
	}
	t, err := newTree(h.Tree.Size, h.Tree.Edge)
	if err != nil {
		return h, tree{}, err
	}
	if t.root() != h.Tree.Root {
		return h, tree{}, errors.New("the edge of the tree does not match its root")
	}
	return h, t, nil
}

// carried is what header and checkpoint lines carry on, so that no older line
// is needed.
type carried struct {
	Pins         []pinLine `json:"pins,omitempty"`         // see pin
	Acknowledged int64     `json:"acknowledged,omitempty"` // see Acknowledgment
}

// recovery is a line about something that the log recovered from.
type recovery struct {
	Time   time.Time `json:"time"`
	What   string    `json:"what"`
	Detail string    `json:"detail"`
	// Damaged is the number of the first line of the file with the damage that was
	// found. The file may have been renamed before it was found.
	Damaged *int64 `json:"damaged,omitempty"`
	// Accepted is the damaged file that this file continues, if a person said so.
	Accepted *acceptedFile `json:"accepted,omitempty"`
}

func (r recovery) body() []byte { return jsonBody(kindRecovery, r) }

// jsonBody encodes the infrequent lines that the log writes itself.
func jsonBody(kind string, members any) []byte {
	b, err := json.Marshal(members)
	if err != nil { // can't happen: only strings, numbers, times and hashes go in
		panic(err)
	}
	b[0] = ','
	return append([]byte(`"kind":"`+kind+`"`), b...)
}
