package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Unit is what a task counts.
type Unit int

// Units. Of Seconds no rate is shown.
const (
	Items Unit = iota
	Bytes
	Seconds // in nanoseconds, as a [time.Duration]
)

// shortestBar is the number of columns below which a bar shows nothing.
const shortestBar = 10

// state is one moment of a task.
type state struct {
	name, note  string
	unit        Unit
	done, total int64
	elapsed     time.Duration
	now         time.Time
}

// render returns the line for a terminal, at most width columns. What doesn't
// fit is left out, the least important first.
func (s state) render(width int) string {
	parts := []string{s.name}
	if s.total > 0 {
		parts = append(parts, fmt.Sprintf("%3d%%", s.percent()))
	} else {
		parts = append(parts, span(s.elapsed))
	}
	for _, part := range []string{s.left(), s.rate(), s.note} {
		if part != "" && columns(parts)+2+utf8.RuneCountInString(part) <= width {
			parts = append(parts, part)
		}
	}
	if room := width - columns(parts) - len("  []"); s.total > 0 && room >= shortestBar {
		parts[1] += "  " + s.bar(min(room, 3*shortestBar))
	}
	return cut(strings.Join(parts, "  "), width)
}

func columns(parts []string) int { return utf8.RuneCountInString(strings.Join(parts, "  ")) }

func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:max(width-1, 0)]) + "…"
	}
	return text
}

// percent is at most 100: lines written in the meantime, and compressed files,
// can exceed the total.
func (s state) percent() int64 { return min(max(s.done, 0), s.total) * 100 / s.total }

func (s state) bar(length int) string {
	full := int(s.percent()) * length / 100
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", length-full) + "]"
}

func (s state) rate() string {
	if s.unit == Seconds || s.done <= 0 || s.elapsed < time.Second/10 {
		return ""
	}
	perSecond := float64(s.done) / s.elapsed.Seconds()
	if s.unit == Bytes {
		return fmt.Sprintf("%.1f MiB/s", perSecond/(1<<20))
	}
	return fmt.Sprintf("%.1f/s", perSecond)
}

// left is the time left at the rate so far. From a minute on it comes with the
// time of day at the end.
func (s state) left() string {
	if s.total <= 0 || s.done <= 0 || s.done >= s.total {
		return ""
	}
	// In floating point: the product of two counts of bytes overflows.
	left := time.Duration(float64(s.elapsed) * (float64(s.total)/float64(s.done) - 1))
	if s.unit == Seconds {
		left = time.Duration(s.total - s.done)
	}
	text := span(left) + " left"
	if left >= time.Minute {
		text += ", ends " + s.now.Add(left).Format("15:04")
	}
	return text
}

// span is a duration in whole seconds: 9s, 1m05s, 2h03m.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
