package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

const page = "../../docs/metrics.md"

const pageHead = `# Metrics

Written from the table in internal/metrics; change it there and run ` + "`go test ./internal/metrics -update`" + `.

They are served at ` + "`/metrics`" + ` of the address in ` + "`metrics.listen`" + ` and of the operator's socket. The same two have ` + "`/healthz`" + ` (200 while the
daemon's front process lives) and ` + "`/readyz`" + ` (200 while it can sign and record, else 503), for load balancers; neither says why.
[operations.md](operations.md) says what to do when one of them tells of trouble, and deploy/grafana has a dashboard and the alert rules.

Values of labels are names of the configuration (client, grant, key, token), kids of versions on the tokens, and closed lists of the
program (route, status, code, state, stage, event). Nothing that a caller sends becomes a label.

| metric | type | labels | meaning |
|---|---|---|---|
`

func document() string {
	var text strings.Builder
	text.WriteString(pageHead)
	for _, m := range metrics.All() {
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), m.Help)
	}
	text.WriteString("\nBesides there are `go_*` and `process_*`, which Prometheus' Go library has about every program.\n")
	return text.String()
}

func TestPage(t *testing.T) {
	if *update {
		if err := os.WriteFile(page, []byte(document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != document() {
		t.Errorf("%s is not what the table says; run go test ./internal/metrics -update", page)
	}
}
