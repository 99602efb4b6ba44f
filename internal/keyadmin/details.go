package keyadmin

import (
	"bytes"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/assertd/assertd/jwks"
)

// Details describes a key for people, one property per line.
func (k Key) Details(now time.Time) []byte {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, value)
		}
	}
	line("label", Printable(k.Label))
	line("kid", k.Kid)
	line("id", fmt.Sprintf("%x", k.Pair.ID()))
	line("key set", k.Set)
	line("alg", k.algorithm())
	line("type", string(k.Pair.Type()))
	if !k.Created.IsZero() {
		line("created", fmt.Sprintf("%s, %s ago", stamp(k.Created), Span(now.Sub(k.Created))))
	}
	if k.State != "" {
		line("state", fmt.Sprintf("%s; %s", k.State, k.Outlook(now)))
	}
	line("custody", k.custodyDetails())
	for _, c := range k.Certificates {
		line("certificate", fmt.Sprintf("%s, from %s to %s, x5t#S256 %s", Printable(c.Subject.String()), stamp(c.NotBefore), stamp(c.NotAfter), jwks.CertificateThumbprint(c)))
	}
	if k.Problem != nil {
		line("problem", k.Problem.Error())
	}
	_ = table.Flush() // writing to a buffer can't fail
	return text.Bytes()
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
