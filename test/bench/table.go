package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the section as a Markdown table of medians.
func (s section) print(out io.Writer, samples map[string][]sample) {
	to := "raw"
	if s.base != "" {
		to = s.base
	}
	fmt.Fprintf(out, "\n### %s\n\n", s.title)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintf(table, "| what\t| per second\t| of %s\t| by CPU\t| p50 ms\t| p99 ms\t| CPU µs: caller\t| front\t| workers\t| together\t| waits of the front\t|\n", to)
	fmt.Fprintln(table, strings.Repeat("|---\t", 11)+"|")
	for _, c := range s.cases {
		m := medianOf(samples[c.name])
		fmt.Fprintf(table, "| %s\t| %.0f\t| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t| %s\t|\n", c.name, m.rate, ratio(m.ratio), ratio(m.byCPU),
			millis(m.p50), millis(m.p99), micros(m.caller), micros(m.front), micros(m.workers), micros(m.cpu()), plain(m.switches))
	}
	table.Flush()
}

func medianOf(samples []sample) sample {
	return sample{
		rate:    pick(samples, func(s sample) float64 { return s.rate }),
		ratio:   pick(samples, func(s sample) float64 { return s.ratio }),
		byCPU:   pick(samples, func(s sample) float64 { return s.byCPU }),
		p50:     pick(samples, func(s sample) time.Duration { return s.p50 }),
		p99:     pick(samples, func(s sample) time.Duration { return s.p99 }),
		caller:  pick(samples, func(s sample) time.Duration { return s.caller }),
		front:   pick(samples, func(s sample) time.Duration { return s.front }),
		workers: pick(samples, func(s sample) time.Duration { return s.workers }),

		switches: pick(samples, func(s sample) float64 { return s.switches }),
	}
}

func pick[T int | float64 | time.Duration](samples []sample, of func(sample) T) T {
	var values []T
	for _, s := range samples {
		values = append(values, of(s))
	}
	return median(values)
}

func ratio(r float64) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

func plain(n float64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", n)
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Nanoseconds())/1e6) }

func micros(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(d.Nanoseconds())/1e3)
}

func valueOf(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
