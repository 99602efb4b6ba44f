package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// printStatus prints a status for people. Rates are since before, or since the
// daemon started if before is empty or from an earlier run of the daemon.
func printStatus(out io.Writer, before, now ipc.StatusResponse) error {
	return statusView{}.print(out, before, now)
}

// statusView is how to print a status.
type statusView struct{ wide bool }

func (v statusView) print(out io.Writer, before, now ipc.StatusResponse) error {
	if !before.Started.Equal(now.Started) {
		before = ipc.StatusResponse{Now: now.Started}
	}
	if err := printSummary(out, now); err != nil {
		return err
	}
	for _, table := range []*terminal.Table{workers(now), keys(now), clients(before, now), refusals(now)} {
		table.Wide = v.wide
		if table.Len() > 0 {
			fmt.Fprintln(out)
		}
		if err := table.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// printSummary prints what is above the tables.
func printSummary(out io.Writer, s ipc.StatusResponse) error {
	printVerdict(out, s)
	printProblems(out, s)
	printPINs(out, s)
	err := printFacts(out, s)
	printIssuers(out, s)
	return err
}

// printVerdict prints the line that says whether the daemon can sign.
func printVerdict(out io.Writer, s ipc.StatusResponse) {
	color, verdict := terminal.Good, "READY"
	switch {
	case !s.Ready.Ready:
		color, verdict = terminal.Bad, "NOT READY: "+terminal.Line(s.Ready.Reason)
	case len(s.Ready.Degraded) > 0:
		color, verdict = terminal.Warn, "READY, DEGRADED"
	}
	if len(s.Freeze.Freezes) > 0 {
		color, verdict = terminal.Bad, verdict+", FROZEN"
	}
	_ = terminal.Paint(out, color, verdict) // the writes below report it
	fmt.Fprintf(out, "  assertd %s, pid %d, up %s\n", s.Version, s.PID, terminal.Span(s.Now.Sub(s.Started)))
	if !s.Ready.Ready && s.Ready.Detail != "" {
		fmt.Fprintf(out, "  %s\n", terminal.Line(s.Ready.Detail))
	}
}

// printProblems prints what somebody should look at.
func printProblems(out io.Writer, s ipc.StatusResponse) {
	printFreezes(out, s.Now, s.Freeze)
	for _, d := range s.Ready.Degraded {
		printError(out, "DEGRADED", d.Key+": "+d.Reason+": "+d.Detail)
	}
	for _, k := range s.Keys {
		for _, reason := range k.Refused {
			printError(out, "KEY NOT USED", reason)
		}
	}
	if s.Store != nil {
		printError(out, "FLEET SERVER DOWN", s.Store.Error)
	}
	printError(out, "BUDGETS NOT SHARED", budgetsProblem(s.SharedBudgets))
	printError(out, "PUBLISHING FAILED", s.JWKS.Error)
	printError(out, "RELOAD REJECTED", s.Reload.Error)
	if a := s.Audit; a != nil {
		printError(out, "WRITE FAILED", a.Error)
		printError(out, "CHECKPOINT FAILED", a.CheckpointError)
		printError(out, "ANCHOR FAILED", a.AnchorError)
		for _, w := range a.Witnesses {
			printError(out, "WITNESS "+terminal.Text(w.Name)+" FAILED", w.Error)
		}
		for _, to := range a.Ship {
			printError(out, "SHIPPING FAILED", to.Error)
		}
	}
	for _, warning := range s.Sandbox.Warnings {
		printError(out, "SANDBOX", warning)
	}
	if n := s.Sandbox.Refused; n > 0 {
		printError(out, "MODULE ATTACKS", fmt.Sprintf("refused %s of the daemon's own processes", plural.Of(n, "connection")))
	}
}

func printError(out io.Writer, title, text string) {
	if text != "" {
		_ = terminal.Paint(out, terminal.Bad, "  "+title+":") // as above
		fmt.Fprintf(out, " %s\n", terminal.Text(text))
	}
}

func printFacts(out io.Writer, s ipc.StatusResponse) error {
	var facts terminal.Facts
	facts.Add("connections", fmt.Sprintf("%d of %d", s.Connections, s.ConnectionLimit))
	facts.Add("JWKS", fmt.Sprintf("%s, published %s", plural.Of(s.JWKS.Keys, "key"), terminal.Ago(s.Now, s.JWKS.Published)))
	if a := s.Audit; a != nil {
		facts.Add("audit log", fmt.Sprintf("%s since the start, %d pending, %s in all%s",
			plural.Of(a.Records, "record"), a.Pending, plural.Of(a.Lines, "line"), checkpoint(s.Now, a)))
		if len(a.Witnesses) > 0 {
			facts.Add("witnesses", fmt.Sprintf("%d of %d must cosign; line %d, %s", a.Quorum, len(a.Witnesses), a.WitnessedLines, terminal.Ago(s.Now, a.QuorumTime)))
		}
		for _, to := range a.Ship {
			facts.Add("shipped to", fmt.Sprintf("%s, up to line %d, %d pending, %d missing", to.Destination, to.Lines, to.Pending, to.Missing))
		}
	}
	if st := s.Store; st != nil && st.Up {
		facts.Add("fleet", fmt.Sprintf("server answers since %s, its clock %s", terminal.Ago(s.Now, st.Since), clockText(st.ClockSeconds)))
	}
	if shared := sharedBudgets(s.SharedBudgets); shared != "" {
		facts.Add("shared budgets", shared)
	}
	facts.Add("sandbox", s.Sandbox.String())
	facts.Add("configuration", "loaded "+terminal.Ago(s.Now, s.Reload.Success))
	return facts.Write(out)
}

// printIssuers prints the issuers of Kubernetes tokens, with the keys that
// are published besides those of the key set.
func printIssuers(out io.Writer, s ipc.StatusResponse) {
	for _, l := range s.Listeners {
		k := l.Kubernetes
		if k == nil {
			continue
		}
		fmt.Fprintf(out, "kubernetes issuer %s  key set %s  %s, fetched every %s\n", terminal.Line(k.Issuer), k.Key,
			plural.Of(len(k.Keys), "key"), terminal.Span(time.Duration(k.RefreshSeconds)*time.Second))
		printError(out, "KUBE-APISERVER GETS NO KEYS", k.Error)
		for _, key := range k.Keys {
			fmt.Fprintf(out, "  key %s %s", terminal.Line(key.Kid), key.Alg)
			if !key.Until.IsZero() {
				fmt.Fprintf(out, ", also published until %s", key.Until.UTC().Format(time.RFC3339))
			}
			fmt.Fprintln(out)
		}
	}
}

func checkpoint(now time.Time, a *ipc.AuditStatus) string {
	if a.CheckpointTime.IsZero() {
		return ""
	}
	return fmt.Sprintf(", checkpoint at line %d, %s", a.CheckpointLines, terminal.Ago(now, a.CheckpointTime))
}

func workers(s ipc.StatusResponse) *terminal.Table {
	table := terminal.NewTable("TOKEN", "WORKER", "STATE", "PID", "SINCE", "IN FLIGHT", "RESTARTS", "LAST ERROR")
	table.Spare = []string{"IN FLIGHT", "PID"}
	for _, t := range s.Tokens {
		for _, w := range t.Workers {
			state, pid := terminal.Cell{Text: w.State, Color: terminal.Good}, "-"
			if w.State != ipc.WorkerReady {
				state.Color = terminal.Bad
			}
			if w.PID != 0 {
				pid = strconv.Itoa(w.PID)
			}
			table.Row(t.Name, w.Worker, state, pid, terminal.Ago(s.Now, w.Since), w.InFlight, w.Restarts, lastError(s.Now, w))
		}
	}
	return table
}

// lastError is the error of the process before this one. It is at least as old
// as the state, if the worker has recovered.
func lastError(now time.Time, w ipc.WorkerStatus) string {
	if w.Error == "" || w.State != ipc.WorkerReady {
		return terminal.Dash(w.Error)
	}
	return "before " + terminal.Ago(now, w.Since) + ": " + w.Error
}

// printPINs prints what operators must do about PINs.
func printPINs(out io.Writer, s ipc.StatusResponse) {
	for _, t := range s.Tokens {
		if t.PIN.Remedy == "" {
			continue
		}
		text := fmt.Sprintf("%s since %s; %s", strings.ToUpper(t.PIN.State), terminal.Ago(s.Now, t.PIN.Since), t.PIN.Remedy)
		if !t.PIN.RetryAt.IsZero() {
			text += fmt.Sprintf("; next look in %s", terminal.Span(max(0, t.PIN.RetryAt.Sub(s.Now))))
		}
		printError(out, "PIN of token "+terminal.Line(t.Name), text)
	}
}

func keys(s ipc.StatusResponse) *terminal.Table {
	table := terminal.NewTable("KEY", "SIGNING", "AGE", "VERSIONS", "NEXT CHANGE", "NEXT DUE")
	table.Spare = []string{"NEXT CHANGE"}
	for _, k := range s.Keys {
		signing, age := terminal.Kid(k.Signing), "-"
		for _, v := range k.Versions {
			if v.Kid == k.Signing && !v.Created.IsZero() {
				age = terminal.Span(s.Now.Sub(v.Created))
			}
		}
		if k.Signing == "" {
			signing = terminal.Cell{Text: "NONE: " + k.Reason, Color: terminal.Bad}
		}
		table.Row(k.Name, signing, age, versions(k), terminal.In(s.Now, k.NextChange), due(s.Now, k))
	}
	return table
}

func versions(k ipc.KeySetStatus) string {
	var states []string
	for _, v := range k.Versions {
		state := string(v.State)
		switch {
		case v.Uncertified:
			state += " WITHOUT CERTIFICATE"
		case v.Held:
			state += " (held back)"
		}
		states = append(states, state)
	}
	if len(k.Lost) > 0 {
		states = append(states, fmt.Sprintf("%d LOST", len(k.Lost)))
	}
	return terminal.Dash(strings.Join(states, " "))
}

func due(now time.Time, k ipc.KeySetStatus) terminal.Cell {
	if k.Late {
		return terminal.Cell{Text: "OVERDUE by " + terminal.Span(now.Sub(k.DueAt)), Color: terminal.Warn}
	}
	return terminal.Cell{Text: terminal.In(now, k.DueAt)}
}

func clients(before, now ipc.StatusResponse) *terminal.Table {
	released := make(map[[2]string]uint64)
	for _, c := range before.Clients {
		for _, g := range c.Grants {
			released[[2]string{c.Name, g.Name}] = g.Released
		}
	}
	seconds := max(now.Now.Sub(before.Now).Seconds(), 0.001)
	table := terminal.NewTable("CLIENT", "GRANT", "KEY", "SIGNED", "PER SECOND", "REFUSED", "FAILED", "LEFT")
	table.Spare = []string{"KEY"}
	for _, c := range now.Clients {
		refused, failed := fmt.Sprint(sum(c.Refusals)), fmt.Sprint(sum(c.Failures))
		for _, g := range c.Grants {
			rate := float64(g.Released-min(released[[2]string{c.Name, g.Name}], g.Released)) / seconds
			table.Row(c.Name, g.Name, g.Key, g.Released, fmt.Sprintf("%.1f", rate), refused, failed, budgets(g.Budgets))
			refused, failed = "", "" // per client, so printed once
		}
	}
	return table
}

func sum(counts []ipc.CodeCount) (n uint64) {
	for _, c := range counts {
		n += c.Count
	}
	return n
}

// refusals lists refusals and failures by code, most frequent first.
func refusals(s ipc.StatusResponse) *terminal.Table {
	type row struct {
		client string
		ipc.CodeCount
	}
	var rows []row
	add := func(client string, counts ...ipc.CodeCount) {
		for _, c := range counts {
			rows = append(rows, row{client, c})
		}
	}
	add("(no client)", s.Unmatched...)
	for _, c := range s.Clients {
		add(c.Name, c.Refusals...)
		add(c.Name, c.Failures...)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.Count, a.Count) })
	table := terminal.NewTable("CLIENT", "REFUSED OR FAILED", "COUNT")
	for _, r := range rows {
		table.Row(r.client, string(r.Code), r.Count)
	}
	return table
}
