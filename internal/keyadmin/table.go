package keyadmin

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/jwks"
)

// WriteTable writes the inventory for people: a row for each version, then
// notes on problems and due versions, with the remedy, each as hint returns it.
// Wide is for whole kids on a terminal.
func (inv *Inventory) WriteTable(out io.Writer, wide bool, hint func(note string) string) error {
	table := terminal.NewTable("KEY SET", "VERSION", "STATE", "KID", "ALG", "CUSTODY", "AGE", "NEXT")
	table.Wide, table.Spare = wide, []string{"VERSION", "CUSTODY", "ALG"}
	for _, key := range inv.Keys {
		table.Row(inv.row(key)...)
	}
	if err := table.Write(out); err != nil {
		return err
	}
	for i, note := range inv.Notes() {
		if i == 0 && table.Len() > 0 {
			fmt.Fprintln(out)
		}
		if _, err := fmt.Fprintln(out, hint(note)); err != nil {
			return err
		}
	}
	return nil
}

func (inv *Inventory) row(k Key) []any {
	next := "-"
	if k.State != "" {
		next = k.Outlook(inv.At)
	}
	custody := terminal.Cell{Text: k.Custody()}
	if k.Pair.Refused() {
		custody.Color = terminal.Bad
	}
	return []any{
		terminal.Dash(k.Set), Printable(strings.TrimPrefix(k.Label, k.Set+"/")), terminal.Dash(string(k.State)), terminal.Kid(k.Kid),
		k.algorithm(), custody, inv.age(k), next,
	}
}

// Printable quotes a label, or another name, that has unprintable characters,
// so that a name on the token can't control this terminal.
func Printable(label string) string {
	if strings.ContainsFunc(label, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return strconv.QuoteToASCII(label)
	}
	return terminal.Dash(label)
}

func (k Key) algorithm() string {
	if k.Alg != "" {
		return k.Alg
	}
	return terminal.Dash(string(k.Pair.Type()))
}

// Custody rates how the token protects the key: "sound", "imported" if it was
// outside the token before but is protected now, or "refused" if it must not
// sign.
func (k Key) Custody() string {
	switch {
	case k.Pair.Refused():
		return "refused"
	case k.Pair.Imported():
		return "imported"
	}
	return "sound"
}

func (inv *Inventory) age(k Key) string {
	switch {
	case k.Created.IsZero():
		return "-"
	case k.Created.After(inv.At):
		return "-" + Span(k.Created.Sub(inv.At))
	}
	return Span(inv.At.Sub(k.Created))
}

// Notes returns the notes below the table.
func (inv *Inventory) Notes() []string {
	notes := inv.quirkNotes()
	for _, p := range inv.Plans {
		notes = append(notes, inv.planNotes(p)...)
	}
	for _, k := range inv.Keys {
		if k.Set == "" && k.Problem != nil {
			notes = append(notes, fmt.Sprintf("%s: %v", Printable(k.Label), k.Problem))
		}
		if err := jwks.CheckCertificates(k.Pair.Public(), k.Certificates, inv.At); err != nil {
			notes = append(notes, fmt.Sprintf("%s: %v", k.Kid, err))
		}
		if k.Uncertified {
			notes = append(notes, fmt.Sprintf("%s: %v", k.Kid, keyset.ErrUncertified))
		}
	}
	return notes
}

// quirkNotes says how the token's module differs, what that means, and which
// keys were accepted because of it or of a setting.
func (inv *Inventory) quirkNotes() (notes []string) {
	module := inv.Token.Module
	for _, q := range module.Quirks {
		notes = append(notes, fmt.Sprintf("%s, quirk %s: %s", module.Provider, q.Name, q.Meaning))
	}
	for _, k := range inv.Keys {
		for _, e := range k.Pair.Excuses() {
			notes = append(notes, fmt.Sprintf("%s is accepted although %s", Printable(k.Label), e))
		}
	}
	return notes
}

func (inv *Inventory) planNotes(p Plan) []string {
	var notes []string
	add := func(format string, args ...any) {
		notes = append(notes, p.Set.Name+": "+fmt.Sprintf(format, args...))
	}
	switch {
	case p.Problem != nil:
		add("refused by the daemon: %s", strings.ReplaceAll(p.Problem.Error(), "\n", "; "))
	case p.Signing == "":
		add("%s", p.Reason)
	}
	for _, kid := range p.Missing {
		add("rotation.activate lists %s, which is not on the token", kid)
	}
	switch {
	case p.DueAt.IsZero():
	case p.Late:
		add("the next version has been overdue since %s; run assertd key generate %s", p.DueAt.UTC().Format("2006-01-02 15:04Z"), p.Set.Name)
	default:
		add("the next version is due in %s, %s", Span(p.DueAt.Sub(inv.At)), p.DueAt.UTC().Format("2006-01-02 15:04Z"))
	}
	return notes
}
