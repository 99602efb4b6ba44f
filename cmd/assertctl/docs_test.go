package main

import (
	"os"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// TestGuideNamesEveryCommandAndCode keeps docs/clients.md complete.
func TestGuideNamesEveryCommandAndCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	for _, cmd := range rootCommand().Commands() {
		if cmd.Name() == "help" {
			continue
		}
		if name := cmd.Name(); !strings.Contains(guide, "`assertctl "+name+"`") && !strings.Contains(guide, "`"+name+"`") {
			t.Errorf("the guide does not name the command %s", name)
		}
	}
	for _, code := range ipc.Codes() {
		if !strings.Contains(guide, "`"+string(code)+"`") {
			t.Errorf("the guide does not name the code %s", string(code))
		}
	}
}
