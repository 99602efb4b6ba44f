package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// printStatus prints a status for people. Rates are since before, or since the
// daemon started if before is empty or from an earlier run of the daemon.
func printStatus(out io.Writer, before, now ipc.StatusResponse) error {
	if !before.Started.Equal(now.Started) {
		before = ipc.StatusResponse{Now: now.Started}
	}
	printSummary(out, now)
	printPINs(out, now)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printWorkers(table, now)
	printKeys(table, now)
	printClients(table, before, now)
	if err := table.Flush(); err != nil {
		return err
	}
	return printRefusals(out, now)
}

func printSummary(out io.Writer, s ipc.StatusResponse) {
	state := "ready"
	switch {
	case !s.Ready.Ready:
		state = "NOT READY: " + s.Ready.Reason
	case len(s.Ready.Degraded) > 0:
		state = "ready, DEGRADED"
	}
	if len(s.Freeze.Freezes) > 0 {
		state += ", FROZEN"
	}
	fmt.Fprintf(out, "assertd %s  pid %d  up %s  %s\n", s.Version, s.PID, span(s.Now.Sub(s.Started)), state)
	fmt.Fprintf(out, "connections %d/%d  jwks %d keys, published %s\n", s.Connections, s.ConnectionLimit, s.JWKS.Keys, ago(s.Now, s.JWKS.Published))
	printError(out, "PUBLISHING FAILED", s.JWKS.Error)
	printIssuers(out, s)
	if a := s.Audit; a != nil {
		fmt.Fprintf(out, "audit log %d records, %d pending, %d lines, checkpoint at line %d\n", a.Records, a.Pending, a.Lines, a.CheckpointLines)
		printError(out, "WRITE FAILED", a.Error)
		printError(out, "CHECKPOINT FAILED", a.CheckpointError)
		printError(out, "ANCHOR FAILED", a.AnchorError)
		printWitnesses(out, s.Now, a)
		printShipping(out, a)
	}
	printFreezes(out, s.Now, s.Freeze)
	printSandbox(out, s.Sandbox)
	fmt.Fprintf(out, "configuration loaded %s\n", ago(s.Now, s.Reload.Success))
	printError(out, "RELOAD REJECTED", s.Reload.Error)
	for _, d := range s.Ready.Degraded {
		printError(out, "DEGRADED", d.Key+": "+d.Reason+": "+d.Detail)
	}
	for _, k := range s.Keys {
		for _, reason := range k.Refused {
			printError(out, "KEY NOT USED", reason)
		}
	}
}

// printIssuers prints the issuers of Kubernetes tokens, with the keys that
// are published besides those of the key set.
func printIssuers(out io.Writer, s ipc.StatusResponse) {
	for _, l := range s.Listeners {
		k := l.Kubernetes
		if k == nil {
			continue
		}
		fmt.Fprintf(out, "kubernetes issuer %s  key set %s  %d keys, fetched every %s\n", terminal.Text(k.Issuer), k.Key, len(k.Keys), span(time.Duration(k.RefreshSeconds)*time.Second))
		printError(out, "KUBE-APISERVER GETS NO KEYS", k.Error)
		for _, key := range k.Keys {
			switch {
			case key.Until.IsZero():
				fmt.Fprintf(out, "  key %s %s\n", terminal.Text(key.Kid), key.Alg)
			default:
				fmt.Fprintf(out, "  key %s %s, also published until %s\n", terminal.Text(key.Kid), key.Alg, key.Until.UTC().Format(time.RFC3339))
			}
		}
	}
}

func printSandbox(out io.Writer, s ipc.SandboxStatus) {
	fmt.Fprintf(out, "sandbox: %s\n", terminal.Text(s.String()))
	for _, warning := range s.Warnings {
		printError(out, "SANDBOX", warning)
	}
	if s.Refused > 0 {
		printError(out, "MODULE ATTACKS", fmt.Sprintf("refused %d connections of the daemon's own processes", s.Refused))
	}
}

func printWitnesses(out io.Writer, now time.Time, a *ipc.AuditStatus) {
	if len(a.Witnesses) == 0 {
		return
	}
	fmt.Fprintf(out, "witnesses %d of %d must cosign, have at line %d, %s\n", a.Quorum, len(a.Witnesses), a.WitnessedLines, ago(now, a.QuorumTime))
	for _, w := range a.Witnesses {
		printError(out, "WITNESS "+terminal.Text(w.Name)+" FAILED", w.Error)
	}
}

func printShipping(out io.Writer, a *ipc.AuditStatus) {
	for _, to := range a.Ship {
		fmt.Fprintf(out, "shipped to %s up to line %d, %d pending, %d missing\n", terminal.Text(to.Destination), to.Lines, to.Pending, to.Missing)
		printError(out, "SHIPPING FAILED", to.Error)
	}
}

func printError(out io.Writer, title, text string) {
	if text != "" {
		fmt.Fprintf(out, "  %s: %s\n", title, terminal.Text(text))
	}
}

func printWorkers(out io.Writer, s ipc.StatusResponse) {
	fmt.Fprintln(out, "\nTOKEN\tWORKER\tSTATE\tPID\tSINCE\tIN FLIGHT\tRESTARTS\tLAST ERROR")
	for _, t := range s.Tokens {
		for _, w := range t.Workers {
			lastError := terminal.Line(w.Error)
			fmt.Fprintf(out, "%s\t%d\t%s\t%d\t%s\t%d\t%d\t%s\n", t.Name, w.Worker, w.State, w.PID, ago(s.Now, w.Since), w.InFlight, w.Restarts, dash(lastError))
		}
	}
}

// printPINs prints what operators must do about PINs.
func printPINs(out io.Writer, s ipc.StatusResponse) {
	for _, t := range s.Tokens {
		if t.PIN.Remedy == "" {
			continue
		}
		fmt.Fprintf(out, "PIN of token %s: %s since %s; %s", t.Name, strings.ToUpper(t.PIN.State), ago(s.Now, t.PIN.Since), terminal.Text(t.PIN.Remedy))
		if !t.PIN.RetryAt.IsZero() {
			fmt.Fprintf(out, "; next look in %s", span(max(0, t.PIN.RetryAt.Sub(s.Now))))
		}
		fmt.Fprintln(out)
	}
}

func printKeys(out io.Writer, s ipc.StatusResponse) {
	fmt.Fprintln(out, "\nKEY\tSIGNING\tAGE\tVERSIONS\tNEXT CHANGE\tNEXT DUE")
	for _, k := range s.Keys {
		signing, age := k.Signing, "-"
		for _, v := range k.Versions {
			if v.Kid == k.Signing {
				age = ago(s.Now, v.Created)
			}
		}
		if signing == "" {
			signing = "NONE: " + k.Reason
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, signing, age, versions(k), in(s.Now, k.NextChange), due(s.Now, k))
	}
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
	return dash(strings.Join(states, " "))
}

func due(now time.Time, k ipc.KeySetStatus) string {
	if k.Late {
		return "OVERDUE by " + span(now.Sub(k.DueAt))
	}
	return in(now, k.DueAt)
}

func printClients(out io.Writer, before, now ipc.StatusResponse) {
	released := make(map[[2]string]uint64)
	for _, c := range before.Clients {
		for _, g := range c.Grants {
			released[[2]string{c.Name, g.Name}] = g.Released
		}
	}
	seconds := max(now.Now.Sub(before.Now).Seconds(), 0.001)
	fmt.Fprintln(out, "\nCLIENT\tGRANT\tKEY\tSIGNED\tPER SECOND\tREFUSED\tFAILED\tLEFT")
	for _, c := range now.Clients {
		refused, failed := fmt.Sprint(sum(c.Refusals)), fmt.Sprint(sum(c.Failures))
		for _, g := range c.Grants {
			rate := float64(g.Released-min(released[[2]string{c.Name, g.Name}], g.Released)) / seconds
			fmt.Fprintf(out, "%s\t%s\t%s\t%d\t%.1f\t%s\t%s\t%s\n", c.Name, g.Name, g.Key, g.Released, rate, refused, failed, budgets(g.Budgets))
			refused, failed = "", "" // per client, so printed once
		}
	}
}

func sum(counts []ipc.CodeCount) (n uint64) {
	for _, c := range counts {
		n += c.Count
	}
	return n
}

// printRefusals prints refusals and failures by code, most frequent first.
func printRefusals(out io.Writer, s ipc.StatusResponse) error {
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
	if len(rows) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nCLIENT\tREFUSED OR FAILED\tCOUNT")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%d\n", r.client, string(r.Code), r.Count)
	}
	return table.Flush()
}

func ago(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return span(now.Sub(then)) + " ago"
}

func in(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return "in " + span(then.Sub(now))
}

// span is a rounded-down duration: 45s, 12m, 3h20m, 89d.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}
