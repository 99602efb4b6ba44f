package probe

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/terminal"
)

// WriteText writes the report for people.
func (r Report) WriteText(out io.Writer) error {
	w := &writer{out: out}
	w.line("module", "%s", r.Module)
	if r.Problem != "" {
		w.line("problem", "%s", r.Problem)
		return w.err
	}
	m := r.Description.Module
	w.line("library", "%s %s, by %s, PKCS#11 %s", m.Library, m.Version, m.Manufacturer, m.Cryptoki)
	if m.Provider == "" {
		w.line("quirks", "none known: assertd has no row for this provider")
	}
	for _, q := range m.Quirks {
		w.line("quirk", "%s, %s: %s", m.Provider, q.Name, q.Meaning)
	}
	for _, slot := range r.Slots {
		w.slot(slot)
	}
	if len(r.Slots) == 0 {
		w.printf("\nThe module has no slots; check that it is configured, and that this user can read its configuration.\n")
		if needs := hsm.Needs(r.Module); needs != "" {
			w.printf("By its name, %s.\n", needs)
		}
	}
	if r.Trial != nil {
		w.trials(r.Trial)
	}
	return w.err
}

// writer keeps the first error. What comes from the module can't control the
// terminal.
type writer struct {
	out io.Writer
	err error
}

func (w *writer) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = io.WriteString(w.out, visible(fmt.Sprintf(format, args...)))
	}
}

func (w *writer) line(name, format string, args ...any) {
	w.printf("%-10s%s\n", name, fmt.Sprintf(format, args...))
}

func (w *writer) slot(s hsm.SlotDescription) {
	w.printf("\n")
	w.line("slot", "%d, %s", s.Slot, s.Text)
	if s.Problem != "" {
		w.line("problem", "%s", s.Problem)
	}
	t := s.Token
	if t == nil {
		w.line("token", "none")
		return
	}
	if !slices.Contains(t.Flags, "initialized") {
		w.line("token", "not initialized; %s %s", t.Manufacturer, t.Model)
		return
	}
	w.line("token", "%q, serial %s, %s %s, firmware %s", t.Label, t.Serial, t.Manufacturer, t.Model, t.Firmware)
	w.line("flags", "%s", strings.Join(t.Flags, ", "))
	w.line("PIN", "%s%s", t.PIN, span(t.MinPIN, t.MaxPIN))
	w.line("makes", "%s", t.Makes)
	w.offers(t.Offers)
	w.mechanisms(t.Mechanisms)
}

func span(least, most uint) string {
	if most == 0 {
		return ""
	}
	return fmt.Sprintf(", %d to %d bytes", least, most)
}

func (w *writer) offers(all []hsm.Offer) {
	rows := [][]string{{"ALG", "GENERATE", "SIGN"}}
	for _, o := range all {
		sign := yes(o.Sign)
		if o.Hashes {
			sign = "yes, hashed by the token"
		}
		rows = append(rows, []string{o.Alg, yes(o.Generate), sign})
	}
	w.printf("\nBy its list of mechanisms, assertd could use it for:\n")
	w.table(rows)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}

// mechanisms lists those that have a name here; the JSON has all.
func (w *writer) mechanisms(all []hsm.Mechanism) {
	rows, others := [][]string{{"MECHANISM", "KEY SIZE", "CAN"}}, 0
	for _, m := range all {
		if strings.HasPrefix(m.Name, "CKM 0x") {
			others++
			continue
		}
		size := "-"
		if m.MaxKey > 0 {
			size = fmt.Sprintf("%d to %d", m.MinKey, m.MaxKey)
		}
		rows = append(rows, []string{m.Name, size, strings.Join(m.Can, ", ")})
	}
	w.printf("\n")
	w.table(rows)
	if others > 0 {
		w.printf("and %d that assertd has no use for\n", others)
	}
}

func (w *writer) trials(t *Trials) {
	w.printf("\n")
	if len(t.Results) > 0 { // there are none if the login failed
		w.printf("Tried on token %q:\n", t.Token)
		w.results(t.Results)
	}
	if t.Problem != "" {
		w.line("problem", "%s", t.Problem)
	}
	for _, left := range t.left() {
		w.printf("could not destroy %s\n", left)
	}
}

func (w *writer) results(trials []hsm.Trial) {
	rows := [][]string{{"TYPE", "GENERATE", "OBJECTS", "CUSTODY", "ALG", "SIGN"}}
	for _, r := range trials {
		first := []string{string(r.Type), took(r.Generate, r.Took), dash(r.Objects), dash(r.Custody)}
		if len(r.Signatures) == 0 {
			rows = append(rows, append(first, "-", "-"))
		}
		for _, s := range r.Signatures {
			rows = append(rows, append(first, s.Alg, took(s.Result, s.Took)))
			first = []string{"", "", "", ""}
		}
	}
	w.table(rows)
}

// took adds the time to what worked.
func took(result string, d time.Duration) string {
	if d == 0 || result != "ok" {
		return result
	}
	return fmt.Sprintf("ok, %v", d.Round(10*time.Microsecond))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func (w *writer) table(rows [][]string) {
	if w.err != nil {
		return
	}
	table := terminal.NewTable(rows[0]...)
	for _, row := range rows[1:] {
		cells := make([]any, 0, len(row))
		for _, text := range row {
			cells = append(cells, visible(text))
		}
		table.Row(cells...)
	}
	w.err = table.Write(w.out)
}

// visible escapes what could control a terminal. Its caller writes line breaks
// and tabs.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != unicode.ReplacementChar {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
