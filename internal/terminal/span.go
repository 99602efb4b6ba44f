package terminal

import (
	"fmt"
	"time"
)

// Span is a duration, rounded down: 45s, 12m, 3h20m, 89d.
func Span(d time.Duration) string {
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

// Ago says how long before now a time is, and "-" of the zero time.
func Ago(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return Span(now.Sub(then)) + " ago"
}

// In says how long after now a time is, and "-" of the zero time.
func In(now, then time.Time) string {
	if then.IsZero() {
		return "-"
	}
	return "in " + Span(then.Sub(now))
}

// Dash is a text, or "-" for none.
func Dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
