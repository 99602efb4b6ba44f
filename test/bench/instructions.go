package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/assertd/assertd/internal/config"
	assertd "github.com/assertd/assertd/internal/daemon"
)

// path is an operation whose instructions are counted.
type path struct {
	name, title string
	role        string
	task        task
}

// paths are the parts of one warm assertion, and the whole of what the caller
// and the front do for it. Their counts repeat where times don't: on a busy
// machine, and between machines with the same libraries.
func paths() []path {
	alg := algorithms[0].alg
	return []path{
		{"raw", "raw PKCS#11", "pkcs11", task{Do: "raw", Alg: alg}},
		{"copy", "raw PKCS#11, session copy", "pkcs11", task{Do: "copy", Alg: alg}},
		{"key", "hsm.Key, session copy: the signature in a worker", "worker", task{Do: "key", Alg: alg}},
		{"verify", "verification", "verify", task{Alg: alg}},
		{"assertion", "an assertion, in the caller and the front", "front", task{Do: "assert", Alg: alg}},
	}
}

// measureInstructions prints how many instructions each path that -run selects
// takes. Without valgrind, or where it can't run Go, it says so instead.
func measureInstructions(ctx context.Context, e env, o settings, r *report, progress io.Writer) error {
	var chosen []path
	for _, p := range paths() {
		if o.only.MatchString("instructions/" + p.name) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	r.title("Instructions of one warm ES256 operation, by callgrind")
	if _, err := exec.LookPath("valgrind"); err != nil {
		_, err := fmt.Fprintln(r.tables, "\nNot measured: valgrind isn't installed.")
		return err
	}
	counts := make([]float64, len(chosen))
	for i, p := range chosen {
		fmt.Fprintf(progress, "instructions: %s\n", p.name)
		var err error
		if counts[i], err = p.instructions(ctx, e); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			_, err := fmt.Fprintf(r.tables, "\nNot measured: %s: %v\n", p.title, err)
			return err
		}
	}
	return r.instructions(chosen, counts)
}

// fewer and more are how often a path is taken in the two runs whose difference
// leaves out what is done once.
const fewer, more = 50, 250

func (p path) instructions(ctx context.Context, e env) (float64, error) {
	short, err := p.collect(ctx, e, fewer)
	if err != nil {
		return 0, err
	}
	long, err := p.collect(ctx, e, more)
	return (long - short) / (more - fewer), err
}

// collect runs the path so many times in a child under callgrind, and returns
// the instructions of that child's whole life. Its own children, such as
// workers, don't count.
func (p path) collect(ctx context.Context, e env, times int) (float64, error) {
	self, err := os.Executable() // in a child of valgrind, /proc/self/exe is valgrind
	if err != nil {
		return 0, err
	}
	log := e.file("callgrind.log")
	cmd := exec.CommandContext(ctx, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-file="+log, self, childArgument)
	// One processor, so that none spins while it looks for work; no collections;
	// and no signals between threads, which callgrind can't follow.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	c, err := startChildAs(cmd, e, p.role)
	if err != nil {
		return 0, err
	}
	t := p.task
	t.Times, t.Socket = times, e.file(frontSocket)
	_, err = c.do(t)
	if err := errors.Join(err, c.stop()); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(log)
	if err != nil {
		return 0, err
	}
	return collected(string(text))
}

var collectedLine = regexp.MustCompile(`(?m)^==\d+== Collected\s*:\s*(\d+)`)

// collected reads the number of instructions from callgrind's log.
func collected(log string) (float64, error) {
	found := collectedLine.FindStringSubmatch(log)
	if found == nil {
		return 0, fmt.Errorf("callgrind's log has no count: %q", log)
	}
	return strconv.ParseFloat(found[1], 64)
}

// frontSocket is where the daemon of frontHere serves.
const frontSocket = "front.sock"

// frontHere runs a daemon in this process, with the daemon's own worker, and
// plays its callers.
func frontHere(e env) (prepare, error) {
	v := defaults
	v.workers = 1
	c, err := config.Parse("bench.yaml", configuration(e, v, e.file(frontSocket)))
	if err != nil {
		return nil, err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	d, err := assertd.New(assertd.Options{
		Config: c, Logger: hclog.NewNullLogger(), Now: time.Now, Ready: func() { close(ready) },
		WorkerCommand: []string{e.Binary, "hsm-worker"}, WriterCommand: []string{e.Binary, "write-file"},
	})
	if err != nil {
		return nil, err
	}
	go func() { ended <- d.Run(context.Background()) }()
	select {
	case <-ready:
		return loadSocket(e)
	case err := <-ended:
		return nil, errors.Join(errors.New("the daemon stopped"), err)
	}
}

// instructions reports what callgrind counted.
func (r *report) instructions(paths []path, counts []float64) error {
	table := tabwriter.NewWriter(r.tables, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "\n| what\t| thousands\t|\n|---\t|---\t|")
	for i, p := range paths {
		fmt.Fprintf(table, "| %s\t| %.0f\t|\n", p.title, counts[i]/1000)
		var err error
		switch r.output {
		case "json":
			err = json.NewEncoder(r.samples).Encode(struct {
				Section      string  `json:"section"`
				Title        string  `json:"what"`
				Instructions float64 `json:"instructions"`
			}{"instructions", p.title, counts[i]})
		case "benchstat":
			_, err = fmt.Fprintf(r.samples, "BenchmarkInstructions/%s 1 %.0f instructions/op\n", strings.ToLower(p.name), counts[i])
		}
		if err != nil {
			return err
		}
	}
	return table.Flush()
}
