package main

import "time"

// target is a goal for a case of a table.
type target struct {
	section, name string
	title         string // with the unit
	goal          float64
	atLeast       bool
	of            func(sample) float64
	above         string // a case whose value is subtracted; "" for none
}

func ratioOf(s sample) float64    { return s.ratio }
func byCPUOf(s sample) float64    { return s.byCPU }
func switchesOf(s sample) float64 { return s.switches }
func p50Of(s sample) float64      { return inMillis(s.p50) }
func p99Of(s sample) float64      { return inMillis(s.p99) }

// ofSlots is the rate, of that of 16 signatures at a time without a pause.
func ofSlots(s sample) float64 { return s.rate / (16 / slowSignature.Seconds()) }

func inMillis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// targets are the goals of this project for two CPUs that callers and daemon
// share, with nothing else running.
var targets = []target{
	{"assertions", "ES256 w2 c8", "ES256, 8 callers, of raw", 0.33, true, ratioOf, ""},
	{"assertions", "ES256 w2 c8", "the same, by CPU", 0.43, true, byCPUOf, ""},
	{"assertions", "ES256 w2 c1", "ES256, 1 caller, p50 in ms", 0.38, false, p50Of, ""},
	{"assertions", "ES256 w2 c1", "voluntary context switches of the front per call, 1 caller", 4, false, switchesOf, ""},
	{"assertions", "ES256 w2 c8", "p99 at 8 callers, ms", 3.5, false, p99Of, ""},
	{"batches", "ES256 w2 c8", "ES256 in batches of 32, 8 callers, of raw", 0.60, true, ratioOf, ""},
	{"batches", "ES256 w2 c8", "the same, by CPU", 0.73, true, byCPUOf, ""},
	{"clients", "10,000 clients", "assertions with 10,000 clients, of those with 10", 0.98, true, ratioOf, ""},
	{"slow", "ES256 w2 c1", "module of 2 ms, 1 caller: p50 above the module's own, ms", 0.3, false, p50Of, ownModule},
	{"slow", "ES256 w2 c16", "module of 2 ms, 16 callers: of 16 per 2 ms", 0.60, true, ofSlots, ""},
}

// figures compares the section's cases with their targets. A target whose cases
// weren't measured is left out.
func (s section) figures(samples map[string][]sample) (figures []figure) {
	for _, t := range targets {
		if t.section != s.name || len(samples[t.name]) == 0 || t.above != "" && len(samples[t.above]) == 0 {
			continue
		}
		measured := t.of(medianOf(samples[t.name]))
		if t.above != "" {
			measured -= t.of(medianOf(samples[t.above]))
		}
		figures = append(figures, figure{Title: t.title, Measured: measured, Goal: t.goal, AtLeast: t.atLeast})
	}
	return figures
}
