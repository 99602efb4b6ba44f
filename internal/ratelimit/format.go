package ratelimit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// The budgets file is a line of JSON, the header, and then for each window:
//
//	length of the budget's name, the name, period, number of runs,
//	and for each run: milliseconds from its last take to the first of the next run
//	(or to the time when the file was written, for the last run),
//	milliseconds from its first take to its last, number of takes
//
// with the newest run first, all numbers as unsigned varints and the period in
// nanoseconds. The last four bytes are the CRC-32C of all bytes before them,
// big-endian.
//
// Ages are rounded down to milliseconds, so a take never leaves its window
// early.

const (
	formatVersion = 2
	maxRuns       = grains + 2
	maxSaved      = 1000 * rate.MaxCount // takes of one run
	maxName       = 4096                 // bytes of a budget's name
	checksumSize  = 4
)

var (
	errImpossible = errors.New("impossible usage")
	errChecksum   = errors.New("the checksum is wrong; the file is truncated or damaged")
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
)

// header is the first line of the budgets file.
type header struct {
	Version int           `json:"version"`
	Written time.Time     `json:"written"`
	Boot    string        `json:"boot_id,omitempty"`
	Up      time.Duration `json:"up_ns,omitempty"`
}

func newHeader(now Instant) header {
	return header{formatVersion, now.Wall.UTC().Round(0), now.Boot, now.Up}
}

// encode fails for a year that RFC 3339 can't have.
func (h header) encode() ([]byte, error) {
	line, err := json.Marshal(h)
	return append(line, '\n'), err
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

func (w *savedWindow) append(data []byte) []byte {
	data = binary.AppendUvarint(data, uint64(len(w.budget)))
	data = append(data, w.budget...)
	data = binary.AppendUvarint(data, uint64(w.per))
	data = binary.AppendUvarint(data, uint64(len(w.runs)))
	var age int64
	for _, r := range slices.Backward(w.runs) {
		last, first := r.last.Milliseconds(), r.first.Milliseconds()
		data = binary.AppendUvarint(data, uint64(last-age))
		data = binary.AppendUvarint(data, uint64(first-last))
		data = binary.AppendUvarint(data, uint64(r.count))
		age = first
	}
	return data
}

// parseSnapshot reads the budgets file of this version and of the one before.
func parseSnapshot(data []byte) (*snapshot, error) {
	line, body, _ := bytes.Cut(data, []byte("\n"))
	var h header
	if err := json.Unmarshal(line, &h); err != nil || h.Version != formatVersion {
		return parseVersion1(data)
	}
	s := &snapshot{written: Instant{h.Written, h.Boot, h.Up}}
	end := len(data) - checksumSize
	if len(body) < checksumSize || checksum(data[:end]) != binary.BigEndian.Uint32(data[end:]) {
		return nil, errChecksum
	}
	windows := parser{rest: body[:len(body)-checksumSize]}
	for len(windows.rest) > 0 && windows.err == nil {
		s.windows = append(s.windows, windows.window())
	}
	if windows.err != nil {
		return nil, windows.err
	}
	return s, s.check()
}

// parser reads windows until its first error.
type parser struct {
	rest []byte
	err  error
}

// number reads a number of at most the given size.
func (p *parser) number(most uint64) uint64 {
	n, size := binary.Uvarint(p.rest)
	if size <= 0 || n > most {
		p.rest, p.err = nil, errImpossible
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) text() string {
	size := p.number(uint64(min(len(p.rest), maxName)))
	if size > uint64(len(p.rest)) {
		p.rest, p.err = nil, errImpossible
		return ""
	}
	text := string(p.rest[:size])
	p.rest = p.rest[size:]
	return text
}

func (p *parser) milliseconds() time.Duration {
	return time.Duration(p.number(uint64(2*rate.MaxPer/time.Millisecond))) * time.Millisecond
}

func (p *parser) window() savedWindow {
	w := savedWindow{budget: p.text(), per: time.Duration(p.number(uint64(rate.MaxPer)))}
	w.runs = make([]savedRun, p.number(maxRuns))
	var age time.Duration
	for i := range slices.Backward(w.runs) {
		last := age + p.milliseconds()
		age = last + p.milliseconds()
		w.runs[i] = savedRun{first: age, last: last, count: int(p.number(maxSaved))}
	}
	return w
}
