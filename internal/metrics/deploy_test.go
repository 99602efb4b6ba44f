package metrics_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/assertd/assertd/internal/metrics"
)

const (
	deployment = "../../deploy/grafana"
	runbook    = "../../docs/operations.md"
)

// rule is one alert.
type rule struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func readRules(t *testing.T) []rule {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(deployment, "alerts.yaml"))), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// expressions returns the dashboard's expressions, panel by panel.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(deployment, "dashboard.json"))), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var (
	named    = regexp.MustCompile(`\b(assertd_[a-z0-9_]+)(\{[^}]*\})?`)
	selector = regexp.MustCompile(`([a-z_]+) *(?:=~|!~|!=|=)`)
)

// checkExpression checks an expression's metrics and label selectors against
// the table.
func checkExpression(t *testing.T, expression string, seen map[string]bool) {
	t.Helper()
	rows := make(map[string]metrics.Metric)
	for _, m := range metrics.All() {
		rows[m.Name] = m
	}
	for _, match := range named.FindAllStringSubmatch(expression, -1) {
		name, extra := match[1], "instance job"
		if base, ok := strings.CutSuffix(name, "_bucket"); ok && rows[base].Type == metrics.Histogram {
			name, extra = base, extra+" le"
		}
		row, known := rows[name]
		if !known {
			t.Errorf("%s is not a metric, in %s", name, expression)
			continue
		}
		seen[name] = true
		for _, label := range selector.FindAllStringSubmatch(match[2], -1) {
			if allowed := strings.Join(row.Labels, " ") + " " + extra; !strings.Contains(" "+allowed+" ", " "+label[1]+" ") {
				t.Errorf("%s has no label %s, in %s", name, label[1], expression)
			}
		}
	}
}

// TestDashboard checks the dashboard against the table: it shows every metric.
func TestDashboard(t *testing.T) {
	seen := make(map[string]bool)
	for _, expression := range expressions(t) {
		checkExpression(t, expression, seen)
	}
	for _, m := range metrics.All() {
		if !seen[m.Name] {
			t.Errorf("%s is on no panel", m.Name)
		}
	}
}

// TestAlerts checks the alerts against the table, and each has a runbook
// section.
func TestAlerts(t *testing.T) {
	sections := make(map[string]bool)
	for _, heading := range regexp.MustCompile(`(?m)^## (Assertd\w+)$`).FindAllStringSubmatch(read(t, runbook), -1) {
		sections[heading[1]] = true
	}
	tests := read(t, filepath.Join(deployment, "alerts_test.yaml"))
	for _, r := range readRules(t) {
		checkExpression(t, r.Expr, make(map[string]bool))
		if !sections[r.Alert] {
			t.Errorf("%s has no section in %s", r.Alert, runbook)
		}
		delete(sections, r.Alert)
		if want := "docs/operations.md#" + strings.ToLower(r.Alert); !strings.HasSuffix(r.Annotations["runbook_url"], want) {
			t.Errorf("%s: runbook_url %s, want …%s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
			t.Errorf("%s lacks a summary, a description or a severity", r.Alert)
		}
		if !strings.Contains(tests, "name: "+r.Alert+"\n") {
			t.Errorf("%s has no test in alerts_test.yaml", r.Alert)
		}
	}
	for section := range sections {
		t.Errorf("section %s has no alert", section)
	}
}

// TestRunbookLinks: links within the runbook have a target.
func TestRunbookLinks(t *testing.T) {
	text := read(t, runbook)
	anchors := make(map[string]bool)
	for _, heading := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(text, -1) {
		anchors[strings.ToLower(strings.ReplaceAll(heading[1], " ", "-"))] = true
	}
	for _, link := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if !anchors[link[1]] {
			t.Errorf("no section for #%s", link[1])
		}
	}
}

// TestPromtool checks the rules and runs their tests with promtool. make test,
// and so CI, sets PROMTOOL to its path; otherwise promtool is used if it is
// installed.
func TestPromtool(t *testing.T) {
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		found, err := exec.LookPath("promtool")
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("promtool is missing; CI runs make test, which provides it")
			}
			t.Skip("no promtool here: make test brings one, or see test/promtool.sh")
		}
		promtool = found
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		command := exec.Command(promtool, args...)
		command.Dir = deployment
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
