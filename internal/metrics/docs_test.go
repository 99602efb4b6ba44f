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

Generated from the table in internal/metrics: change it there, then run ` + "`go test ./internal/metrics -update`" + `.

Metrics are served at ` + "`/metrics`" + ` on the address in ` + "`metrics.listen`" + ` and on the operator socket. Both also have two endpoints for load
balancers, which don't give reasons: ` + "`/healthz`" + ` returns 200 while the daemon's front process is alive, and ` + "`/readyz`" + ` returns 200 while it can
sign and record, otherwise 503. See [operations.md](operations.md) for what to do about problems, and deploy/grafana for a dashboard and
alert rules.

Label values are names from the configuration (client, grant, key, token), kids of versions on the tokens, and closed lists in the program
(route, status, code, state, stage, event). Nothing that a caller sends becomes a label value.

| metric | type | labels | description |
|---|---|---|---|
`

func document() string {
	var text strings.Builder
	text.WriteString(pageHead)
	for _, m := range metrics.All() {
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), m.Help)
	}
	text.WriteString("\nThe `go_*` and `process_*` metrics come from the Prometheus client library for Go.\n")
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
		t.Errorf("%s is out of date; run go test ./internal/metrics -update", page)
	}
}
