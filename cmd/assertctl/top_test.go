package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/assertd/assertd/ipc"
)

func TestBudgetsReadLikeTheConfiguration(t *testing.T) {
	for want, w := range map[string]ipc.BudgetInfo{
		"3/5 per 24h":         {Limit: 5, PerSeconds: 86400, Remaining: 3},
		"9/10 per 1s":         {Limit: 50, PerSeconds: 1, Burst: 10, Remaining: 9},
		"100/100 per 1h30m":   {Limit: 50, PerSeconds: 5400, Burst: 100, Remaining: 100},
		"0/1 per 10m":         {Limit: 1, PerSeconds: 600},
		"1/1 per 500ms":       {Limit: 1, PerSeconds: 0.5, Remaining: 1},
		"1/1 per 100h0m1s":    {Limit: 1, PerSeconds: 360001, Remaining: 1},
		"2000/2000 per 1m30s": {Limit: 2000, PerSeconds: 90, Remaining: 2000},
	} {
		if got := budgets([]ipc.BudgetInfo{w}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

var started = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// busy is the status of a daemon with many things to show, some of them wrong.
func busy() ipc.StatusResponse {
	s := ipc.StatusResponse{
		Version: "v1.2.3-45-gabcdef0", PID: 4711, Started: started, Now: started.Add(90 * time.Minute), Connections: 12, ConnectionLimit: 1024,
		Ready:  ipc.ReadyResponse{Ready: true, Degraded: []ipc.DegradedKey{{Key: "ledger", Reason: "key-not-available", Detail: "the tokens hold no version of it"}}},
		Reload: ipc.ReloadStatus{Success: started, Error: "assertd.yaml:12:3: unknown setting \"lifetimes\"; did you mean \"lifetime\"?"},
		Audit:  &ipc.AuditStatus{Records: 123456, Lines: 234567, CheckpointLines: 234560},
		Tokens: []ipc.TokenStatus{{Name: "datacenter-1", PIN: ipc.PINStatus{State: ipc.PINOK}}},
		Keys: []ipc.KeySetStatus{{
			Name: "payments", Signing: "nwARB-Vq6r2UDYFQyQZb3sPO0QEo3GfbJ-ksqBsb1_c",
			Versions: []ipc.VersionStatus{{KeyVersion: ipc.KeyVersion{Kid: "nwARB-Vq6r2UDYFQyQZb3sPO0QEo3GfbJ-ksqBsb1_c", Created: started}, State: "signing"}, {State: "published"}},
		}, {Name: "ledger", Reason: "key-not-available"}},
		Unmatched: []ipc.CodeCount{{Code: "no-client-matched", Count: 3}},
	}
	for n := range 4 {
		w := ipc.WorkerStatus{WorkerState: ipc.WorkerState{Token: "datacenter-1", Worker: n, State: ipc.WorkerReady}, PID: 5000 + n, Since: started}
		if n == 3 {
			w.PID, w.State, w.Restarts, w.Error = 0, ipc.WorkerWaiting, 12, "load module /usr/lib/vendor/libvendor-pkcs11.so: CKR_DEVICE_ERROR; check the HSM's own log"
		}
		s.Tokens[0].Workers = append(s.Tokens[0].Workers, w)
	}
	for n, name := range []string{"payments-api", "batch", "ledger-with-a-name-as-long-as-names-of-services-get-in-practice"} {
		s.Clients = append(s.Clients, ipc.ClientStatus{
			Name: name,
			Grants: []ipc.GrantStatus{{
				Name: "bank-a", Key: "payments", Released: uint64(1000 * (n + 1)),
				Budgets: []ipc.BudgetInfo{{Limit: 50, PerSeconds: 1, Remaining: 49}, {Limit: 100000, PerSeconds: 86400, Remaining: 99000}},
			}, {Name: "bank-b", Key: "payments", Released: 7}},
			Refusals: []ipc.CodeCount{{Code: "audience-not-allowed", Count: uint64(10 - n)}},
		})
	}
	return s
}

func text(lines []styled) string {
	var texts []string
	for _, line := range lines {
		texts = append(texts, line.text)
	}
	return strings.Join(texts, "\n")
}

// letters is a text without the spaces and line breaks of its layout.
func letters(text string) string { return strings.Join(strings.Fields(text), "") }

// TestTopLosesNothing: at 80 columns, and at any other width, the page has all
// that it has on a terminal without an edge, and no line is too long.
func TestTopLosesNothing(t *testing.T) {
	const height = 10000
	v := newTopView(busy(), started)
	for _, width := range []int{20, 40, 80, 100, 140, 1000} {
		page := v.page(width, height)
		for _, line := range page {
			if n := utf8.RuneCountInString(line.text); n > width {
				t.Errorf("%d columns: a line of %d: %q", width, n, line.text)
			}
		}
		all := letters(text(page))
		for _, want := range []string{
			"ledger-with-a-name-as-long-as-names-of-services-get-in-practice", "bank-b", "3000", "49/50 per 1s, 99000/100000 per 24h", "DEGRADED",
			"CKR_DEVICE_ERROR; check the HSM's own log", "(no client)", "no-client-matched", "audience-not-allowed", "did you mean \"lifetime\"?", "nwARB-Vq6r2U…",
		} {
			if !strings.Contains(all, letters(want)) {
				t.Errorf("%d columns: no %q in\n%s", width, want, text(page))
			}
		}
	}
}

// TestTopKeepsVerdictOnScreen: however small the terminal and wherever the user
// scrolls.
func TestTopKeepsVerdictOnScreen(t *testing.T) {
	status := busy()
	status.Ready = ipc.ReadyResponse{Reason: "hsm-unavailable"}
	v := newTopView(status, started)
	for _, k := range []key{keyOther, keyDown, keyPageDown, keyEnd, keyUp, keyHome, keyPageUp} {
		v.press(k)
		for _, height := range []int{3, 10, 24} {
			page := v.page(80, height)
			if len(page) != height || !strings.Contains(page[0].text, "NOT READY: hsm-unavailable") || page[0].style != bad {
				t.Errorf("key %d, %d lines: %q", k, len(page), page[0])
			}
		}
	}
	for width := range 30 {
		for height := range 5 {
			v.page(width, height) // must not panic
		}
	}
}

// TestTopScrollsToEachLine walks down a small terminal, line by line.
func TestTopScrollsToEachLine(t *testing.T) {
	v := newTopView(busy(), started)
	body := v.body(80)
	seen := make(map[string]bool)
	for range body {
		for _, line := range v.page(80, 8) {
			seen[line.text] = true
		}
		v.press(keyDown)
	}
	for _, line := range body {
		if !seen[line.text] {
			t.Errorf("never shown: %q", line.text)
		}
	}
	v.press(keyHome)
	if v.page(80, 8); v.first != 0 {
		t.Errorf("Home goes to line %d", v.first)
	}
}

func names(rows []topClient) (all []string) {
	for _, r := range rows {
		all = append(all, r.client.Name[:5]+"/"+r.grant.Name)
	}
	return all
}

// TestTopOrder: the same status in another order looks the same, in every sort
// order.
func TestTopOrder(t *testing.T) {
	status := busy()
	later := busy()
	later.Now = later.Now.Add(10 * time.Second)
	later.Clients[1].Grants[0].Released += 50
	slices.Reverse(later.Clients)
	v := newTopView(status, started)
	v.update(topAnswer{status: later}, started)
	orders := map[topOrder][]string{
		byName:    {"batch/bank-a", "batch/bank-b", "ledge/bank-a", "ledge/bank-b", "payme/bank-a", "payme/bank-b"},
		byRate:    {"batch/bank-a", "batch/bank-b", "ledge/bank-a", "ledge/bank-b", "payme/bank-a", "payme/bank-b"},
		bySigned:  {"ledge/bank-a", "batch/bank-a", "payme/bank-a", "batch/bank-b", "ledge/bank-b", "payme/bank-b"},
		byRefused: {"payme/bank-a", "payme/bank-b", "batch/bank-a", "batch/bank-b", "ledge/bank-a", "ledge/bank-b"},
	}
	for range topOrders {
		if got := names(v.clients()); !slices.Equal(got, orders[v.order]) {
			t.Errorf("by %s: %v", v.order, got)
		}
		v.press(keySort)
	}
	if rate := v.clients()[0].rate; v.order != byName || rate != 5 {
		t.Errorf("order %s, %v per second", v.order, rate)
	}
	restarted := later
	restarted.Started, restarted.Now = later.Now, later.Now.Add(100*time.Second)
	v.update(topAnswer{status: restarted}, started)
	if rate := v.clients()[0].rate; rate != 20.5 {
		t.Errorf("after a restart: %v per second, want 2050 signatures in 100 s", rate)
	}
}

// TestTopKeepsLastStatus: a daemon that is away is shown as away, with what it
// said last.
func TestTopKeepsLastStatus(t *testing.T) {
	v := newTopView(busy(), started)
	v.update(topAnswer{err: errors.New("connection refused")}, started.Add(75*time.Second))
	page := v.page(80, 24)
	if page[0].text != "NO ANSWER for 1m: connection refused" || page[0].style != bad || !strings.HasPrefix(page[1].text, "before: READY") {
		t.Errorf("%q, then %q", page[0], page[1])
	}
	v.update(topAnswer{status: busy()}, started.Add(80*time.Second))
	if page := v.page(80, 24); !strings.HasPrefix(page[0].text, "READY, DEGRADED  assertd v1.2.3") {
		t.Errorf("after it is back: %q", page[0])
	}
}

func TestTopPausesAndHelps(t *testing.T) {
	v := newTopView(busy(), started)
	v.press(keyPause)
	if page := text(v.page(80, 24)); !strings.Contains(page, "PAUSED") || !strings.Contains(page, "space resume") {
		t.Error(page)
	}
	loop := &top{view: v}
	loop.ask(context.Background()) // would panic: there is no operator
	v.press(keyHelp)
	if page := text(v.page(80, 40)); !strings.Contains(page, "PgDn by a page") || !strings.Contains(page, "REFUSED, FAILED") {
		t.Error(page)
	}
	v.press(keyPause) // only closes the help
	if page := text(v.page(80, 24)); !strings.Contains(page, "PAUSED") || strings.Contains(page, "PgDn") {
		t.Error(page)
	}
}

func TestPressed(t *testing.T) {
	for typed, want := range map[string][]key{
		"q":               {keyQuit},
		"s\x1b[As?":       {keySort, keyUp, keySort, keyHelp},
		"\x1b[6~\x1b[5~ ": {keyPageDown, keyPageUp, keyPause},
		"\x1bOB\x1b[1~G":  {keyDown, keyHome, keyEnd},
		"\x1b":            {keyOther},
		"\x1b[15~q":       {keyOther}, // F5, and whatever came with it
		"xq":              {keyOther, keyQuit},
		"\x03\x1a":        {keyQuit, keySuspend},
		"":                nil,
	} {
		if got := pressed([]byte(typed)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", typed, got, want)
		}
	}
}

func TestTopNeedsTerminal(t *testing.T) {
	code, stdout, stderr := tool(t, "top")
	for _, want := range []string{"terminal", "assertctl status", "-o json"} {
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, %q, %q, want %q", code, stdout, stderr, want)
		}
	}
}
