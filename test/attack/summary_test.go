package attack

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/test/script"
)

// summary is what came of all scripts.
type summary struct {
	mu      sync.Mutex
	results []*result
}

// result is what came of one script.
type result struct {
	name, expects string
	attacks       int
	unexpected    []string
	failed        bool // also for what is not an attack, such as a daemon that did not start
}

type resultKey struct{}

func (s *summary) setup(env *testscript.Env) error {
	script.Setup(env, binaries)
	env.Setenv("ASSERTD_SOCKET", "dev/assertd.sock")
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	r := &result{name: name, expects: expectation(env.T(), scriptFile(name))}
	env.Values[resultKey{}] = r
	t, _ := env.T().(interface{ Failed() bool })
	env.Defer(func() { r.failed = t == nil || t.Failed() })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results = append(s.results, r)
	return nil
}

func scriptFile(name string) string {
	for _, dir := range []string{"testdata", "testdata/long"} {
		if files, err := filepath.Glob(filepath.Join(dir, name+".txtar")); err == nil && len(files) == 1 {
			return files[0]
		}
	}
	return name
}

// attacked counts an attack, and fails the script if its outcome is not the
// expected one. description is short: what was sent.
func attacked(ts *testscript.TestScript, description string, err error) {
	r := ts.Value(resultKey{}).(*result)
	r.attacks++
	if err != nil {
		r.unexpected = append(r.unexpected, fmt.Sprintf("%.100s: %v", description, err))
		ts.Fatalf("%.100s: %v", description, err)
	}
}

// write prints a row for each script, and below it what was not expected.
func (s *summary) write(out io.Writer) {
	slices.SortFunc(s.results, func(a, b *result) int { return strings.Compare(a.name, b.name) })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "attack\texpectation\tattacks\toutcome")
	attacks, unexpected := 0, 0
	for _, r := range s.results {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", r.name, r.expects, r.attacks, r.outcome())
		attacks += r.attacks
		unexpected += len(r.unexpected)
		for _, u := range r.unexpected {
			fmt.Fprintf(w, "\t  unexpected: %s\t\t\n", u)
		}
	}
	w.Flush()
	fmt.Fprintf(out, "%d attacks, %d unexpected\n", attacks, unexpected)
}

func (r *result) outcome() string {
	switch {
	case len(r.unexpected) > 0:
		return fmt.Sprintf("%d unexpected", len(r.unexpected))
	case r.failed:
		return "the script failed"
	}
	return "as expected"
}
