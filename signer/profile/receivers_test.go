package profile

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const receiversIntro = `# Receivers

<!-- Generated from the rows in signer/profile: change them and run go generate ./signer/profile. -->

Each row is a receiver, the profile for it, the audience and the algorithms that it takes, and how that was tested.
[profiles.md](profiles.md) has the details. A profile that was not tested follows its receiver's documentation, which
profiles.md names.

`

// TestReceivers fails if docs/receivers.md differs from the rows.
func TestReceivers(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(receiversIntro)
	writeRow(&page, "receiver", "profile", "audience", "algorithms", "tested with")
	writeRow(&page, "---", "---", "---", "---", "---")
	for _, p := range All() {
		writeRow(&page, p.Title, "["+p.Name+"](profiles.md#"+p.Name+")", p.audienceDetail(), p.algorithmSummary(),
			cmp.Or(strings.Join(p.Tested, "; "), "not tested"))
	}
	golden(t, filepath.Join("..", "..", "docs", "receivers.md"), page.Bytes())
}

var testedPattern = regexp.MustCompile(`^.+, (test/[a-z0-9]+) (Test[A-Za-z0-9]+)$`)

// A row must not name a test that no longer exists.
func TestTestedNamesTests(t *testing.T) {
	for _, p := range All() {
		for _, tested := range p.Tested {
			match := testedPattern.FindStringSubmatch(tested)
			if match == nil {
				t.Errorf("%s: %q names no test", p.Name, tested)
				continue
			}
			files, err := filepath.Glob(filepath.Join("..", "..", match[1], "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				found = found || strings.Contains(string(text), "\nfunc "+match[2]+"(")
			}
			if !found {
				t.Errorf("%s: there is no %s in %s", p.Name, match[2], match[1])
			}
		}
	}
}
