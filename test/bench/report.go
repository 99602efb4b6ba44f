package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// outputs are the values of -o.
var outputs = []string{"", "json", "benchstat"}

// report writes what was measured: tables for people and, with -o, every sample
// for programs.
type report struct {
	tables  io.Writer
	samples io.Writer // nil for none
	output  string
}

// newReport writes the tables to stdout, or to stderr if the samples go there.
func newReport(output string, stdout, stderr io.Writer) *report {
	if output == "" {
		return &report{tables: stdout}
	}
	return &report{tables: stderr, samples: stdout, output: output}
}

// machine describes the machine that the figures come from.
func (r *report) machine() {
	cpu := valueOf("/proc/cpuinfo", "model name")
	fmt.Fprintf(r.tables, "%s, %d CPUs (%s), load %s before\n", runtime.Version(), runtime.NumCPU(), cpu, loadAverage())
	if r.output == "benchstat" {
		fmt.Fprintf(r.samples, "goos: %s\ngoarch: %s\npkg: github.com/assertd/assertd/test/bench\ncpu: %s\n", runtime.GOOS, runtime.GOARCH, cpu)
	}
}

func (r *report) title(text string) { fmt.Fprintf(r.tables, "\n### %s\n", text) }

// section reports a section: its table, its samples and its targets.
func (r *report) section(s section, samples map[string][]sample) error {
	s.print(r.tables, samples)
	for _, c := range s.cases {
		for round, one := range samples[c.name] {
			if err := r.sample(record{Section: s.name, Case: c.name, Round: round + 1}.of(one)); err != nil {
				return err
			}
		}
	}
	return r.figures(s.name, s.figures(samples))
}

// record is a sample as JSON. Times are of one operation, in nanoseconds.
type record struct {
	Section string `json:"section"`
	Case    string `json:"case"`
	Round   int    `json:"round"`

	PerSecond float64       `json:"per_second"`
	Ratio     float64       `json:"ratio,omitzero"`
	ByCPU     float64       `json:"by_cpu,omitzero"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	Caller    time.Duration `json:"caller_cpu_ns"`
	Front     time.Duration `json:"front_cpu_ns"`
	Workers   time.Duration `json:"workers_cpu_ns"`
	Switches  float64       `json:"front_switches"`
}

func (r record) of(s sample) record {
	r.PerSecond, r.Ratio, r.ByCPU, r.P50, r.P99 = s.rate, s.ratio, s.byCPU, s.p50, s.p99
	r.Caller, r.Front, r.Workers, r.Switches = s.caller, s.front, s.workers, s.switches
	return r
}

func (r *report) sample(one record) error {
	switch r.output {
	case "json":
		return json.NewEncoder(r.samples).Encode(one)
	case "benchstat":
		// The iterations are one, as benchstat ignores them.
		_, err := fmt.Fprintf(r.samples, "BenchmarkCase/%s/%s 1 %.0f ns/op %d cpu-ns/op %d p50-ns %d p99-ns %.3f ratio %.3f by-cpu %.2f front-switches/op\n",
			one.Section, benchName(one.Case), 1e9/max(one.PerSecond, 1), one.Caller+one.Front+one.Workers, one.P50, one.P99, one.Ratio, one.ByCPU, one.Switches)
		return err
	}
	return nil
}

// benchName is a name in Go's benchmark format, which has no spaces.
func benchName(text string) string {
	return strings.NewReplacer(" ", "_", "#", "", ",", "").Replace(text)
}

// figures reports what has a goal.
func (r *report) figures(section string, figures []figure) error {
	for _, f := range figures {
		var err error
		switch r.output {
		case "json":
			err = json.NewEncoder(r.samples).Encode(struct {
				Section string `json:"section"`
				figure
				Holds bool `json:"holds"`
			}{section, f, f.holds()})
		case "benchstat":
			_, err = fmt.Fprintf(r.samples, "BenchmarkGoal/%s/%s 1 %.4f measured\n", section, benchName(f.Title), f.Measured)
		}
		if err != nil {
			return err
		}
	}
	return printFigures(r.tables, figures)
}
