package keyadmin_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/config"
)

type accounts struct{}

func (accounts) User(string) (uint32, error)  { return 1001, nil }
func (accounts) Group(string) (uint32, error) { return 1001, nil }

// TestGuide reads the configurations of docs/keys.md as the daemon would.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		text := strings.ReplaceAll(block[1], "TENANT", "contoso.onmicrosoft.com")
		if !strings.Contains(text, "keys:") {
			continue // a part of one, shown inside a sentence
		}
		text += "hsm: {module: /m, token: {label: t}, pin: {file: /p}}\nlisten: [{socket: /s}]\naudit: {required: false}\n"
		if _, err := config.Parse("keys.md", []byte(text), config.WithAccounts(accounts{})); err != nil {
			t.Error(err)
		}
		read++
	}
	if read < 3 {
		t.Errorf("%d configurations in the guide", read)
	}
}
