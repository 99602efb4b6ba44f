package server

import (
	"strings"
	"testing"
	"time"
)

func TestWarningsDoNotFillTheLog(t *testing.T) {
	book, now := &logBook{}, time.Unix(0, 0)
	w := &warnings{log: book, now: func() time.Time { return now }}
	for range 5 {
		w.warn("dead", "pid", 1)
	}
	now = now.Add(time.Second)
	w.warn("dead", "pid", 2)
	if got := book.text(); strings.Count(got, "dead") != 2 || !strings.Contains(got, "suppressed 4") && !strings.Contains(got, "suppressed4") {
		t.Errorf("%s", got)
	}
}

func TestErrorsDoNotFillTheLog(t *testing.T) {
	book, now := &logBook{}, time.Unix(0, 0)
	w := &warnings{log: book, now: func() time.Time { return now }}
	for range 500 {
		w.error("failed", "n", "1")
	}
	w.error("timed out", "n", "1")
	now = now.Add(errorEvery)
	w.error("failed", "n", "2")
	if got, want := book.text(), "error failed n1\nerror timed out n1\nerror failed n2suppressed499"; got != want {
		t.Errorf("%q", got)
	}
}
