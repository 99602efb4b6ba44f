package keyadmin

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/jwks"
)

// WriteDetails describes a key for people, one property per line.
func (k Key) WriteDetails(out io.Writer, now time.Time) error {
	var facts terminal.Facts
	facts.Add("label", Printable(k.Label))
	facts.Add("kid", k.Kid)
	facts.Add("id", fmt.Sprintf("%x", k.Pair.ID()))
	facts.Add("key set", k.Set)
	facts.Add("alg", k.algorithm())
	facts.Add("type", string(k.Pair.Type()))
	if !k.Created.IsZero() {
		facts.Add("created", fmt.Sprintf("%s, %s ago", stamp(k.Created), Span(now.Sub(k.Created))))
	}
	if k.State != "" {
		facts.Add("state", fmt.Sprintf("%s; %s", k.State, k.Outlook(now)))
	}
	facts.Add("custody", k.custodyDetails())
	for _, c := range k.Certificates {
		facts.Add("certificate", fmt.Sprintf("%s, from %s to %s, x5t#S256 %s", Printable(c.Subject.String()), stamp(c.NotBefore), stamp(c.NotAfter), jwks.CertificateThumbprint(c)))
	}
	if k.Problem != nil {
		facts.AddColored("problem", strings.ReplaceAll(k.Problem.Error(), "\n", "; "), terminal.Bad)
	}
	return facts.Write(out)
}

func (k Key) custodyDetails() string {
	c := k.Pair.Custody()
	text := fmt.Sprintf("%s: extractable %s, sensitive %s, never extractable %s, generated on the token %s",
		k.Custody(), c.Extractable, c.Sensitive, c.NeverExtractable, c.Local)
	for _, e := range k.Pair.Excuses() {
		text += "; accepted although " + e.String()
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
