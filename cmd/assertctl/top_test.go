package main

import (
	"testing"

	"github.com/assertd/assertd/ipc"
)

func TestTopKeepsFirstLineOnScreen(t *testing.T) {
	const view = "NOT READY\nclients\nkeys\n"
	for _, c := range []struct {
		width, height int
		want          string
	}{
		{80, 24, "NOT READY\nclients\nkeys"},
		{80, 3, "NOT READY\nclients\nkeys"},
		{80, 2, "NOT READY\n… 2 more lines; assertctl status shows them all"},
		{8, 3, "NOT REA…\nclients\nkeys"},
		{0, 0, "NOT READY\nclients\nkeys"},
	} {
		if got := fit(view, c.width, c.height); got != c.want {
			t.Errorf("%dx%d: %q, want %q", c.width, c.height, got, c.want)
		}
	}
}

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
