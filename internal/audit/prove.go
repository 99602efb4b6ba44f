package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader is the first line of a C2SP tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Proven is what a proof shows: the log contained this record when the
// checkpoint was signed.
type Proven struct {
	Line       []byte // the record as in the log, one JSON object
	Seq        int64  // its index in the log
	Checkpoint Checkpoint
}

// Prove returns a proof that the record of a jti is in the log, based on the
// newest checkpoint. It verifies the files first: a log that does not verify
// proves nothing. The proof is a C2SP tlog-proof with the record's line as its
// extra data. The error is ErrNotFound, ErrNotCovered, one of Verify's, or one
// for a jti in two records.
func Prove(ctx context.Context, paths []string, jti string, o VerifyOptions) ([]byte, error) {
	files, err := openLogFiles(paths, o.All)
	if err != nil {
		return nil, err
	}
	defer files.close()
	verifying, proving := halves(o.Progress)
	o.Progress = verifying
	v, m := &verifier{keys: o.Verifiers}, &match{jti: jti, needle: appendMember(nil, "jti", jti)}
	if _, err := v.verifyFiles(ctx, files, o, m.visit); err != nil {
		return nil, err
	}
	switch {
	case m.found == 0:
		return nil, fmt.Errorf("%w: jti %q; check it, and add --all or the files that are missing", ErrNotFound, jti)
	case m.found > 1:
		return nil, fmt.Errorf("audit: jti %q is in %d records, at last in record %d; a proof needs a jti that is in one", jti, m.found, m.seq)
	case v.newest == nil:
		return nil, fmt.Errorf("%w: none is signed by the given keys; give those that \"assertd audit key\" prints", ErrNotCovered)
	}
	c, _, err := OpenCheckpoint(v.newest, o.Verifiers)
	if err != nil {
		return nil, err
	}
	if m.seq >= c.Size {
		return nil, fmt.Errorf("%w: the newest one covers %d records, this is record %d; try again after the next checkpoint",
			ErrNotCovered, c.Size, m.seq)
	}
	path, err := provePath(ctx, files, c, m, proving)
	if err != nil {
		return nil, err
	}
	return formatProof(m.line, m.seq, path, v.newest), nil
}

// halves divides progress between the two times that the files are read.
func halves(progress func(done, total int64)) (first, second func(done, total int64)) {
	if progress == nil {
		return nil, nil
	}
	return func(done, total int64) { progress(done, 2*total) }, func(done, total int64) { progress(total+done, 2*total) }
}

// match finds the record of a jti.
type match struct {
	jti    string
	needle []byte // the member as the log writes it, to avoid decoding most lines
	found  int
	seq    int64
	line   []byte
}

func (m *match) visit(l link, line []byte) {
	if m.jti == "" || reserved(l.kind) || !bytes.Contains(line, m.needle) {
		return
	}
	var r struct {
		JTI string `json:"jti"`
	}
	if json.Unmarshal(line, &r) == nil && r.JTI == m.jti {
		m.found, m.seq, m.line = m.found+1, l.seq, bytes.Clone(line)
	}
}

// provePath reads the files again and keeps only the few hashes of the proof,
// so memory use does not grow with the log.
func provePath(ctx context.Context, files *fileSet, c Checkpoint, m *match, progress func(done, total int64)) (tlog.RecordProof, error) {
	var want neededHashes
	if _, err := tlog.ProveRecord(c.Size, m.seq, &want); err != nil {
		return nil, err
	}
	if err := want.collect(files.read(ctx, progress), c.Size); err != nil {
		return nil, err
	}
	path, err := tlog.ProveRecord(c.Size, m.seq, &want)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, m.seq, tlog.RecordHash(m.line)); err != nil {
		return nil, fmt.Errorf("%w: the files changed while being read; try again", ErrProof)
	}
	return path, nil
}

// neededHashes is a tlog.HashReader that notes, at the first call, which hashes
// it is asked for.
type neededHashes struct {
	hashes map[int64]tlog.Hash
}

// ReadHashes implements tlog.HashReader.
func (h *neededHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	first := h.hashes == nil
	if first {
		h.hashes = make(map[int64]tlog.Hash, len(indexes))
	}
	list := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if first {
			h.hashes[index] = tlog.Hash{}
		}
		list[i] = h.hashes[index]
	}
	return list, nil
}

// collect sets the hashes from the lines up to a size.
func (h *neededHashes) collect(r *logReader, size int64) error {
	var t tree
	for started := false; !started || t.size < size; started = true {
		line, _, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if !started {
			if _, t, err = parseHeader(line); err != nil {
				return err
			}
			h.setEdge(&t)
		}
		at := tlog.StoredHashIndex(0, t.size)
		for i, hash := range t.add(tlog.RecordHash(line)) {
			h.set(at+int64(i), hash)
		}
	}
	return nil
}

// before reports whether one of the hashes needs lines from before the files,
// which start with this line and have the edge of the tree before it.
func (h *neededHashes) before(first int64) bool {
	t := tree{size: first}
	for index := range h.hashes {
		if level, n := tlog.SplitStoredHashIndex(index); (n+1)<<level <= first && !t.onEdge(level, n) {
			return true
		}
	}
	return false
}

func (h *neededHashes) missing() bool {
	for _, hash := range h.hashes {
		if hash == (tlog.Hash{}) {
			return true
		}
	}
	return false
}

func (h *neededHashes) setEdge(t *tree) {
	for level := range t.edge {
		if t.size>>level&1 == 1 {
			h.set(tlog.StoredHashIndex(level, t.size>>level-1), t.edge[level])
		}
	}
}

func (h *neededHashes) set(index int64, hash tlog.Hash) {
	if _, ok := h.hashes[index]; ok {
		h.hashes[index] = hash
	}
}

func formatProof(line []byte, seq int64, path tlog.RecordProof, checkpoint []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(line), seq)
	for _, h := range path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
	return b.Bytes()
}

// CheckProof verifies what Prove returned, with only the public keys. It
// returns ErrProof for an invalid proof.
func CheckProof(proof []byte, verifiers []note.Verifier) (Proven, error) {
	head, checkpoint, ok := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !ok || len(lines) < 3 || lines[0] != proofHeader {
		return Proven{}, fmt.Errorf("%w: not a %s; use the output of \"assertd audit prove\"", ErrProof, proofHeader)
	}
	p, path, err := parseProof(lines[1:])
	if err != nil {
		return Proven{}, fmt.Errorf("%w: %v", ErrProof, err)
	}
	c, signed, err := OpenCheckpoint(checkpoint, verifiers)
	if err != nil {
		return Proven{}, fmt.Errorf("%w: checkpoint: %v", ErrProof, err)
	}
	if !signed {
		return Proven{}, fmt.Errorf("%w: the checkpoint is not signed by any of the given keys; give those that \"assertd audit key\" prints", ErrProof)
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, p.Seq, tlog.RecordHash(p.Line)); err != nil {
		return Proven{}, fmt.Errorf("%w: the record is not in the tree of the checkpoint", ErrProof)
	}
	p.Checkpoint = c
	return p, nil
}

// parseProof reads the lines after the first one, up to the checkpoint.
func parseProof(lines []string) (Proven, tlog.RecordProof, error) {
	extra, ok1 := strings.CutPrefix(lines[0], "extra ")
	index, ok2 := strings.CutPrefix(lines[1], "index ")
	if !ok1 || !ok2 {
		return Proven{}, nil, errors.New("the record or its index is missing")
	}
	line, err := base64.StdEncoding.DecodeString(extra)
	if err != nil {
		return Proven{}, nil, err
	}
	seq, err := strconv.ParseInt(index, 10, 64)
	if err != nil || seq < 0 || strconv.FormatInt(seq, 10) != index {
		return Proven{}, nil, fmt.Errorf("invalid index %q", index)
	}
	if l, err := parseLink(line); err != nil || l.seq != seq {
		return Proven{}, nil, errors.New("the record does not have that index")
	}
	var path tlog.RecordProof
	for _, text := range lines[2:] {
		h, err := tlog.ParseHash(text)
		if err != nil {
			return Proven{}, nil, err
		}
		path = append(path, h)
	}
	return Proven{Line: line, Seq: seq}, path, nil
}
