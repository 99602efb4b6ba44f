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

// errSplit is a witness's answer to a proof that does not lead from the tree it
// knows to the one in the checkpoint.
var errSplit = errors.New("the witness knows another history of this log (422)")

// sizeError is a witness's answer to a checkpoint sent with another old size
// than the one it has.
type sizeError int64

func (e sizeError) Error() string { return fmt.Sprintf("the witness has %d lines (409)", int64(e)) }

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
func (c client) add(ctx context.Context, old int64, proof tlog.TreeProof, checkpoint []byte) (Cosignature, error) {
	var body bytes.Buffer
	fmt.Fprintf(&body, "old %d\n", old)
	for _, h := range proof {
		fmt.Fprintf(&body, "%s\n", h)
	}
	body.WriteByte('\n')
	body.Write(checkpoint)
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
	if err != nil {
		return Cosignature{}, err
	}
	return c.read(response, answer, checkpoint)
}

func (c client) read(response *http.Response, answer, checkpoint []byte) (Cosignature, error) {
	switch response.StatusCode {
	case http.StatusOK:
		return c.open(answer, checkpoint)
	case http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
		if err != nil || size < 0 {
			return Cosignature{}, errors.New("the witness answered 409 without a tree size")
		}
		return Cosignature{}, sizeError(size)
	case http.StatusUnprocessableEntity:
		return Cosignature{}, errSplit
	case http.StatusNotFound:
		return Cosignature{}, refusal("the witness does not know the log (404); register its origin and key there, and check the URL")
	case http.StatusForbidden:
		return Cosignature{}, refusal("the witness does not know the log or its key (403); register them there")
	}
	if response.StatusCode < 500 {
		return Cosignature{}, refusal("the witness answered " + response.Status)
	}
	return Cosignature{}, fmt.Errorf("the witness answered %s", response.Status)
}

// open finds the cosignature by the witness's key and verifies it. It ignores
// signatures by other keys.
func (c client) open(answer, checkpoint []byte) (Cosignature, error) {
	text, _, _ := bytes.Cut(checkpoint, []byte("\n\n"))
	signed := fmt.Appendf(nil, "%s\n\n%s", text, answer)
	n, err := note.Open(signed, note.VerifierList(c.Key))
	if err != nil {
		return Cosignature{}, fmt.Errorf("the witness's cosignature does not verify with its public key: %w", err)
	}
	at, err := torchwood.CosignatureTimestamp(n.Sigs[0])
	if err != nil {
		return Cosignature{}, err
	}
	line := fmt.Sprintf("\u2014 %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64)
	return Cosignature{Line: line, Time: time.Unix(at, 0)}, nil
}
