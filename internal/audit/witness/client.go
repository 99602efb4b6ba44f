package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/assertd/assertd/internal/audit"
)

// Config is one witness.
type Config struct {
	URL string        // the submission prefix, before /add-checkpoint
	Key note.Verifier // from ParseKey
}

// Cosignature is a witness's signature of a checkpoint.
type Cosignature struct {
	Line string    // the signature line of the note
	Time time.Time // when the witness signed, by its clock
}

// errSplit is what it means if a proof does not lead from the tree that the
// witness knows to the one in the checkpoint (422), or if both have the same
// size and another root (409).
var errSplit = errors.New("the witness knows another history of this log")

// sizeError is a witness's answer to a checkpoint sent with another old size
// than the one it has.
type sizeError int64

func (e sizeError) Error() string { return fmt.Sprintf("the witness has %d lines (409)", int64(e)) }

// errUnknown is a refusal by a witness that does not know the log.
const errUnknown = refusal("the witness does not know the log (404); register its origin and key there, and check the URL")

// refusal is any other answer that says for sure that the witness did not take
// the checkpoint.
type refusal string

func (e refusal) Error() string { return string(e) }

// client speaks C2SP tlog-witness with one witness.
type client struct {
	Config
	http *http.Client
}

// newClient follows no redirects: they would turn the POST into something else,
// and a witness that moved needs a new configuration.
func newClient(c Config, transport http.RoundTripper) client {
	return client{Config: c, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// maxAnswer is the limit of an answer in bytes. A cosignature has about 150,
// and a witness may send several.
const maxAnswer = 16 << 10

// add sends a checkpoint with the proof that it extends the tree of size old.
// The error is errSplit, a sizeError, a refusal, or anything else if the
// outcome is unknown.
func (c client) add(ctx context.Context, old int64, proof tlog.TreeProof, sent *audit.Signed) (Cosignature, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintf(&body, "%s\n", h)
	}
	body.WriteByte('\n')
	body.Write(sent.Note)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+"/add-checkpoint", &body)
	if err != nil {
		return Cosignature{}, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Cosignature{}, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return Cosignature{}, err
	case response.StatusCode == http.StatusOK:
		return c.open(answer, sent.Note)
	case response.StatusCode == http.StatusConflict:
		return Cosignature{}, conflict(answer, old, sent.Size)
	}
	return Cosignature{}, answered(response, old)
}

// Remembers asks a witness for the size that it has, with a checkpoint that the
// log signed before: a note and what it says. A witness that does not know the
// log has 0. One that has nothing yet may cosign the checkpoint.
func (c Config) Remembers(ctx context.Context, note []byte, sent audit.Checkpoint) (int64, error) {
	_, err := newClient(c, http.DefaultTransport).add(ctx, 0, nil, &audit.Signed{Checkpoint: sent, Note: note})
	var size sizeError
	switch {
	case err == nil:
		return sent.Size, nil
	case errors.As(err, &size):
		return int64(size), nil
	case errors.Is(err, errUnknown):
		return 0, nil
	}
	return 0, err
}

// conflict is what a 409 means. Witnesses give it for two reasons: the old size
// is not theirs, or it is that of the checkpoint too and the roots differ. Only
// for the first one does the protocol say that the answer has a size.
func conflict(answer []byte, old, sent int64) error {
	size, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
	known := err == nil && size >= 0
	switch {
	case known && size != old:
		return sizeError(size)
	case old == sent && old > 0:
		return errSplit
	case known:
		return refusal("the witness answered 409 with the size that it was asked for; see whether two logs share the origin, or update the witness")
	}
	return refusal("the witness answered 409 without a tree size; check the URL, or update the witness")
}

// answered is what other answers than 200 and 409 mean.
func answered(response *http.Response, old int64) error {
	switch status := response.StatusCode; {
	case status == http.StatusUnprocessableEntity && old > 0:
		return errSplit
	case status == http.StatusUnprocessableEntity:
		return refusal("the witness refused a checkpoint that needs no proof, because it has none of this log yet (422); update the witness")
	case status == http.StatusNotFound:
		return errUnknown
	case status == http.StatusForbidden:
		return refusal("the witness does not know the log or its key (403); register them there")
	case status < 500:
		return refusal("the witness answered " + response.Status + "; check the URL")
	}
	return fmt.Errorf("the witness answered %s; see its log", response.Status)
}

// open finds the cosignature by the witness's key and verifies it. It ignores
// signatures by other keys.
func (c client) open(answer, checkpoint []byte) (Cosignature, error) {
	text, _, _ := bytes.Cut(checkpoint, []byte("\n\n"))
	signed := fmt.Appendf(nil, "%s\n\n%s", text, answer)
	n, err := note.Open(signed, note.VerifierList(c.Key))
	if err != nil {
		return Cosignature{}, fmt.Errorf("the witness's cosignature does not verify with its public key: %w; check its public_key in audit.witnesses", err)
	}
	at, err := torchwood.CosignatureTimestamp(n.Sigs[0])
	if err != nil {
		return Cosignature{}, err
	}
	line := fmt.Sprintf("\u2014 %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64)
	return Cosignature{Line: line, Time: time.Unix(at, 0)}, nil
}
