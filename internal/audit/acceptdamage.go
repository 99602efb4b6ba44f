package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/trustpath"
)

// Acceptance is what a person decides about a damaged log.
type Acceptance struct {
	Reason string // for the record; required
	// Next is the number of the next record; 0 for the one after the highest in
	// the damaged file. It is required for a file that can't be read to its end.
	Next int64
}

// AcceptedDamage is what AcceptDamage did.
type AcceptedDamage struct {
	Kept string `json:"kept"`          // the damaged file, as evidence
	Good int64  `json:"first_damaged"` // number of the first damaged record
	Next int64  `json:"next"`          // number of the first record of the new file
}

// AcceptDamage keeps the damaged file that Open refuses as evidence, and starts
// a new one that continues its numbers and says so in its second line. The
// daemon must not be running. The error is ErrUndamaged if Open would succeed.
func AcceptDamage(o Options, a Acceptance) (AcceptedDamage, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return AcceptedDamage{}, err
	}
	if a.Reason = strings.TrimSpace(a.Reason); a.Reason == "" {
		return AcceptedDamage{}, errors.New("audit: accept damage: no reason; say what happened, for the readers of the log")
	}
	held, err := o.lockWithin(o.Timeout)
	if err != nil {
		return AcceptedDamage{}, err
	}
	defer held.Close()
	if err := notInUse(o.File); err != nil {
		return AcceptedDamage{}, err
	}
	path, err := damagedFile(&o)
	if err != nil {
		return AcceptedDamage{}, err
	}
	newest, err := newestFile(&o)
	if err != nil {
		return AcceptedDamage{}, err
	}
	if newest != "" && newest != path {
		return acceptArchive(&o, path, newest, a)
	}
	return accept(&o, path, a)
}

// notInUse returns ErrLocked if a daemon writes the file.
func notInUse(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil // what is wrong with it shows later
	}
	defer f.Close()
	return lockFile(f)
}

// damagedFile returns the file that Open can't continue from, or that recheck
// found or would find to be damaged.
func damagedFile(o *Options) (string, error) {
	newest, err := newestFile(o)
	if err != nil || newest == "" {
		return damagedIn(err)
	}
	f, err := openLogFile(newest)
	if err != nil {
		return "", err
	}
	defer f.Close()
	t, err := f.tail()
	if err == nil && !isCompressed(newest) {
		err = o.checkTorn(newest, t.goodEnd, f.size)
	}
	return damagedIn(locateDamage(o.File, err))
}

// newestFile returns the current file of a log, or the newest renamed one if
// that is missing or has no line; "" if there is neither. The error is a
// *DamagedError if it is not clear which one is the newest.
func newestFile(o *Options) (string, error) {
	f, err := openLogFile(o.File)
	if err == nil {
		defer f.Close()
		if t, err := f.tail(); err != nil || t.goodEnd > 0 {
			return o.File, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return predecessor(o.File)
}

// tail reads the whole file.
func (f logFile) tail() (tail, error) {
	lines, err := f.lines()
	if isCorrupt(err) {
		return tail{}, damaged(f.Name(), "%v", err)
	}
	if err != nil {
		return tail{}, err
	}
	t, _, err := readTail(f.Name(), lines)
	return t, err
}

// locateDamage names the file that is damaged now, for damage that was found in
// one that may have been renamed since.
func locateDamage(path string, err error) error {
	d := (*DamagedError)(nil)
	if !errors.As(err, &d) || d.first == noSeq {
		return err
	}
	set, failed := openWhole(path)
	if failed != nil {
		return err
	}
	defer set.close()
	i := slices.IndexFunc(set.files, func(f logFile) bool { return f.seq == d.first })
	if i < 0 {
		return err
	}
	return &DamagedError{File: set.files[i].Name(), Detail: d.Detail, first: d.first}
}

// damagedIn returns the file that the error is about.
func damagedIn(err error) (string, error) {
	var d *DamagedError
	switch {
	case errors.As(err, &d):
		return d.File, nil
	case err != nil:
		return "", err
	}
	return "", ErrUndamaged
}

// accept renames the file, unless an earlier attempt did, and writes the next
// one.
func accept(o *Options, path string, a Acceptance) (AcceptedDamage, error) {
	f, err := trustpath.Regular(path)
	if err != nil {
		return AcceptedDamage{}, err
	}
	defer f.Close()
	start, err := endBefore(o, path)
	if err != nil {
		return AcceptedDamage{}, err
	}
	s, sum, err := readDamaged(f, start)
	if err == nil && s.lines == 0 {
		err = errors.New("it has no line of the log")
	}
	if err != nil && a.Next == 0 {
		return AcceptedDamage{}, fmt.Errorf("audit: %s can't be read to its end: %w; "+
			"give the next number with --next: one above any that receivers or collectors have seen", path, err)
	}
	if a.Next != 0 {
		if err := s.skipTo(a.Next); err != nil {
			return AcceptedDamage{}, err
		}
	}
	kept, err := keepDamaged(o, path)
	if err != nil {
		return AcceptedDamage{}, err
	}
	done := AcceptedDamage{Kept: kept, Good: s.good, Next: s.head.tree.size}
	return done, writeAccepted(o, f, s.head, s.tail.acknowledged, acceptedFile{File: filepath.Base(kept), SHA256: sum, First: s.first, Good: s.good, Next: s.head.tree.size, Reason: a.Reason})
}

// acceptArchive is for damage that was found after the file was renamed. The
// log goes on behind the newest file, which is in order.
func acceptArchive(o *Options, path, newest string, a Acceptance) (AcceptedDamage, error) {
	if a.Next != 0 {
		return AcceptedDamage{}, fmt.Errorf("audit: the next number is known, since %s follows the damaged file; leave out --next", newest)
	}
	f, err := openLogFile(path)
	if err != nil {
		return AcceptedDamage{}, err
	}
	defer f.Close()
	last, err := openLogFile(newest)
	if err != nil {
		return AcceptedDamage{}, err
	}
	defer last.Close()
	t, err := last.tail()
	if err != nil && t.damage == nil {
		return AcceptedDamage{}, err
	}
	s, sum, err := readDamaged(f.File, head{tree: tree{size: f.seq}})
	if err != nil {
		return AcceptedDamage{}, fmt.Errorf("audit: read %s: %w; restore it, or move it away", path, err)
	}
	next, err := numberAfter(o, f)
	if err != nil {
		return AcceptedDamage{}, err
	}
	if newest == o.File {
		if err := atomicfile.Rename(newest, newest+"."+o.Clock().UTC().Format(archiveTime)); err != nil {
			return AcceptedDamage{}, err
		}
	}
	done := AcceptedDamage{Kept: path, Good: s.good, Next: t.head.tree.size}
	accepted := acceptedFile{File: filepath.Base(path), SHA256: sum, First: s.first, Good: s.good, Next: next, Reason: a.Reason}
	return done, writeAccepted(o, last.File, t.head, t.acknowledged, accepted)
}

// numberAfter returns the number of the first line of the file after f.
func numberAfter(o *Options, f logFile) (int64, error) {
	set, err := openWhole(o.File)
	if err != nil {
		return 0, err
	}
	defer set.close()
	for _, next := range set.files {
		if next.seq > f.seq && next.seq != noSeq {
			return next.seq, nil
		}
	}
	return 0, fmt.Errorf("audit: no file follows %s; restore the newest file", f.Name())
}

// readDamaged salvages a file and hashes it as it is.
func readDamaged(f *os.File, start head) (salvaged, string, error) {
	sum := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return salvaged{head: start}, "", err
	}
	if _, err := io.Copy(sum, f); err != nil {
		return salvaged{head: start}, "", err
	}
	lines, err := logFile{File: f}.lines()
	if err != nil {
		return salvaged{head: start, first: start.tree.size, good: start.tree.size}, hex.EncodeToString(sum.Sum(nil)), err
	}
	s, err := salvage(lines, start)
	return s, hex.EncodeToString(sum.Sum(nil)), err
}

// endBefore returns the end of the newest file before the damaged one that is
// in order; the start of a log if there is none.
func endBefore(o *Options, path string) (head, error) {
	archives, err := openArchives(o.File)
	if err != nil {
		return head{}, err
	}
	defer archives.close()
	own, err := openLogFile(path)
	if err != nil {
		return head{}, err
	}
	defer own.Close()
	for _, f := range slices.Backward(archives.files) {
		if f.Name() == path || f.seq == noSeq || f.seq >= own.seq {
			continue
		}
		if t, err := f.tail(); err == nil {
			return t.head, nil
		}
	}
	return head{}, nil
}

// damagedInfix marks files that someone else changed, and those that a person
// accepted as damaged.
const damagedInfix = ".damaged-"

func keepDamaged(o *Options, path string) (string, error) {
	if path != o.File {
		return path, nil // renamed already
	}
	kept := path + damagedInfix + o.Clock().UTC().Format(archiveTime)
	return kept, atomicfile.Rename(path, kept)
}

// writeAccepted writes a whole file at once, so that a crash leaves either none
// or one that the daemon can continue from. It belongs to the owner of the old
// one, since a person may run this as root.
func writeAccepted(o *Options, old *os.File, h head, acknowledged int64, a acceptedFile) error {
	now := o.Clock().UTC()
	tree := headerTree{Size: h.tree.size, Root: h.tree.root(), Edge: h.tree.edgeHashes()}
	goesOn := carried{Pins: h.pinLines(), Acknowledged: acknowledged}
	content := h.appendLine(nil, header{Time: now, Format: format, Tree: tree, carried: goesOn}.body())
	detail := fmt.Sprintf("a person (uid %d) started a new file after %s, which is damaged from record %d on: %s", os.Getuid(), a.File, a.Good, a.Reason)
	content = h.appendLine(content, recovery{Time: now, What: "damage accepted", Detail: detail, Accepted: &a}.body())
	if err := atomicfile.Replace(o.File, content, o.Mode); err != nil {
		return err
	}
	info, err := old.Stat()
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(o.File, int(st.Uid), int(st.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
