package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// topOrder is an order of the rows of clients. Rows that are equal in it are
// ordered by name, so none jumps without a reason.
type topOrder string

const (
	byName    topOrder = "name"
	byRate    topOrder = "rate"
	bySigned  topOrder = "signed"
	byRefused topOrder = "refused"
)

var topOrders = []topOrder{byName, byRate, bySigned, byRefused}

// topView is what top shows of the last two statuses.
type topView struct {
	before, now ipc.StatusResponse
	answered    time.Time // when the daemon last answered, by our clock
	silence     string    // what is wrong since then; empty if nothing is
	order       topOrder
	paused      bool
	help        bool
	first       int // line of the body at the top
	rows        int // lines of the body that fit, at the last draw
}

func newTopView(status ipc.StatusResponse, at time.Time) *topView {
	return &topView{now: status, answered: at, order: byName}
}

// update takes the next answer.
func (v *topView) update(a topAnswer, at time.Time) {
	if a.err != nil {
		v.silence = fmt.Sprintf("NO ANSWER for %s: %v", terminal.Span(at.Sub(v.answered)), a.err)
		return
	}
	v.before, v.now, v.answered, v.silence = v.now, a.status, at, ""
}

// press obeys a key.
func (v *topView) press(k key) {
	if v.help {
		v.help = false
		return
	}
	switch k {
	case keySort:
		next := slices.Index(topOrders, v.order) + 1
		v.order = topOrders[next%len(topOrders)]
	case keyPause:
		v.paused = !v.paused
	case keyHelp:
		v.help = true
	case keyUp:
		v.first--
	case keyDown:
		v.first++
	case keyPageUp:
		v.first -= max(1, v.rows-1)
	case keyPageDown:
		v.first += max(1, v.rows-1)
	case keyHome:
		v.first = 0
	case keyEnd:
		v.first = 1 << 30 // page takes it back to the end
	}
}

// page returns at most height lines of at most width columns. The verdict stays
// on top, whatever the user scrolls to.
func (v *topView) page(width, height int) []styled {
	head, body := v.head(width), v.body(width)
	if v.help {
		head, body = nil, v.explanation(width)
	}
	head = head[:min(len(head), max(0, height-2))]
	v.rows = max(0, height-len(head)-1)
	v.first = max(0, min(v.first, len(body)-v.rows))
	last := min(len(body), v.first+v.rows)
	lines := append(head, body[v.first:last]...)
	for len(lines) < height-1 {
		lines = append(lines, styled{})
	}
	footer := fmt.Sprintf(" q quit  s sort by %s  space %s  ? help", v.order, map[bool]string{false: "pause", true: "resume"}[v.paused])
	if last-v.first < len(body) {
		footer += fmt.Sprintf("  ↑↓ lines %d-%d of %d", v.first+1, last, len(body))
	}
	return append(lines, styled{cut(pad(footer, width), width), footing})
}

// head is the verdict, and what the numbers below can't show.
func (v *topView) head(width int) (lines []styled) {
	look := good
	switch {
	case !v.now.Ready.Ready:
		look = bad
	case len(v.now.Ready.Degraded) > 0:
		look = warning
	}
	verdict, _, _ := strings.Cut(v.summary(), "\n")
	if v.silence != "" {
		lines = fold(terminal.Line(v.silence), width, bad)
		verdict, look = "before: "+verdict, plain
	}
	lines = append(lines, fold(verdict, width, look)...)
	if v.paused {
		lines = append(lines, styled{cut("PAUSED; space resumes", width), warning})
	}
	return lines
}

// summary is the part of the status that has no tables.
func (v *topView) summary() string {
	var text bytes.Buffer
	_ = printSummary(&text, v.now) // writing to a buffer can't fail
	return strings.ReplaceAll(terminal.Text(text.String()), "\t", " ")
}

func (v *topView) body(width int) (lines []styled) {
	_, details, _ := strings.Cut(v.summary(), "\n")
	for line := range strings.Lines(details) {
		look := plain
		if strings.HasPrefix(line, "  ") { // as printError indents what is wrong
			look = bad
		}
		lines = append(lines, fold(strings.TrimRight(line, "\n"), width, look)...)
	}
	clients := v.clients()
	for _, t := range []topTable{v.grants(clients), v.refusals(clients), v.keys(), v.workers()} {
		if t.Len() > 0 {
			head, rows := t.Lines(width, t.names)
			lines = append(lines, styled{})
			lines = append(append(lines, styledAll(head, heading)...), styledAll(rows, plain)...)
		}
	}
	return lines
}

// topTable is a table whose first columns name a row.
type topTable struct {
	*terminal.Table
	names int
}

// topClient is a row of a client: one of its grants.
type topClient struct {
	client          ipc.ClientStatus
	grant           ipc.GrantStatus
	rate            float64 // signatures per second since the last refresh
	refused, failed uint64  // of the client
}

// clients returns the rows in the chosen order. Rates are since the status
// before, or since the daemon started if that was another run of it.
func (v *topView) clients() (rows []topClient) {
	since, released := v.now.Started, make(map[[2]string]uint64)
	if v.before.Started.Equal(v.now.Started) {
		since = v.before.Now
		for _, c := range v.before.Clients {
			for _, g := range c.Grants {
				released[[2]string{c.Name, g.Name}] = g.Released
			}
		}
	}
	seconds := max(v.now.Now.Sub(since).Seconds(), 0.001)
	for _, c := range v.now.Clients {
		refused, failed := sum(c.Refusals), sum(c.Failures)
		for _, g := range c.Grants {
			before := min(released[[2]string{c.Name, g.Name}], g.Released)
			rows = append(rows, topClient{c, g, float64(g.Released-before) / seconds, refused, failed})
		}
	}
	slices.SortStableFunc(rows, func(a, b topClient) int {
		return cmp.Or(v.compare(a, b), cmp.Compare(a.client.Name, b.client.Name), cmp.Compare(a.grant.Name, b.grant.Name))
	})
	return rows
}

func (v *topView) compare(a, b topClient) int {
	switch v.order {
	case byRate:
		return cmp.Compare(b.rate, a.rate)
	case bySigned:
		return cmp.Compare(b.grant.Released, a.grant.Released)
	case byRefused:
		return cmp.Compare(b.refused+b.failed, a.refused+a.failed)
	}
	return 0
}

func (v *topView) grants(clients []topClient) topTable {
	t := topTable{terminal.NewTable("CLIENT", "GRANT", "KEY", "SIGNED", "RATE", "REFUSED", "FAILED", "LEFT"), 3}
	for _, c := range clients {
		t.Row(c.client.Name, c.grant.Name, c.grant.Key, c.grant.Released, fmt.Sprintf("%.1f/s", c.rate),
			c.refused, c.failed, budgets(c.grant.Budgets))
	}
	return t
}

// refusals has each client's refusals and failures by code, and those of
// callers that no client matched.
func (v *topView) refusals(clients []topClient) topTable {
	t := topTable{terminal.NewTable("CLIENT", "COUNT", "REFUSED OR FAILED"), 1}
	add := func(client string, counts []ipc.CodeCount) {
		for _, c := range counts {
			t.Row(client, c.Count, string(c.Code))
		}
	}
	add("(no client)", v.now.Unmatched)
	seen := make(map[string]bool)
	for _, c := range clients {
		if !seen[c.client.Name] {
			seen[c.client.Name] = true
			add(c.client.Name, c.client.Refusals)
			add(c.client.Name, c.client.Failures)
		}
	}
	return t
}

func (v *topView) keys() topTable {
	t := topTable{terminal.NewTable("KEY", "SIGNING", "AGE", "NEXT CHANGE", "NEXT DUE", "VERSIONS"), 2}
	for _, k := range v.now.Keys {
		signing, age := shortKid(k.Signing), "-"
		for _, version := range k.Versions {
			if version.Kid == k.Signing {
				age = terminal.Ago(v.now.Now, version.Created)
			}
		}
		if signing == "" {
			signing = "NONE: " + k.Reason
		}
		t.Row(k.Name, signing, age, terminal.In(v.now.Now, k.NextChange), due(v.now.Now, k).Text, versions(k))
	}
	return t
}

// shortKid is enough of a kid to tell it from others on one screen.
func shortKid(kid string) string {
	if runes := []rune(kid); len(runes) > 12 {
		return string(runes[:12]) + "…"
	}
	return kid
}

func (v *topView) workers() topTable {
	t := topTable{terminal.NewTable("TOKEN", "WORKER", "STATE", "PID", "SINCE", "IN FLIGHT", "RESTARTS", "LAST ERROR"), 1}
	for _, token := range v.now.Tokens {
		for _, w := range token.Workers {
			pid := "-" // of a worker that isn't there
			if w.PID != 0 {
				pid = fmt.Sprint(w.PID)
			}
			t.Row(token.Name, w.Worker, string(w.State), pid, terminal.Ago(v.now.Now, w.Since), w.InFlight, w.Restarts, terminal.Dash(w.Error))
		}
	}
	return t
}

// topHelp explains the keys and the columns.
const topHelp = `Keys
  q, Ctrl-C           quit
  s                   sort clients by name, rate, signed or refused
  space, p            pause and resume
  arrows, j, k        scroll by a line; PgUp and PgDn by a page
  g, G, Home, End     to the start or the end
  Ctrl-Z              suspend
  ?, h                this page; any key closes it

Columns
  SIGNED              signatures that callers received since the daemon started
  RATE                signatures since the previous refresh
  REFUSED, FAILED     requests of the client, over all its grants
  LEFT                what is left of each rate budget
  NEXT CHANGE         when a version of the key is published, signs or retires
  NEXT DUE            when the security team or the daemon must make a version
  IN FLIGHT           signatures that the worker is making
  RESTARTS            processes that replaced a failed one`

func (v *topView) explanation(width int) (lines []styled) {
	for line := range strings.Lines(topHelp) {
		look := plain
		if text := strings.TrimSpace(line); text != "" && line[0] != ' ' {
			look = heading
		}
		lines = append(lines, fold(strings.TrimRight(line, "\n"), width, look)...)
	}
	return lines
}
