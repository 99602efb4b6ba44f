package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRecording(t *testing.T) {
	const printed = "1. Start\n  $ bin/assertd dev\n  ready\n2. <Get> & \"sign\"\n  $ x\n  {\x60}"
	lines := layout(printed + strings.Repeat("\nmore", 30) + "\n" + strings.Repeat("long", 50))
	for i, l := range lines {
		if utf8.RuneCountInString(l.text) > columns {
			t.Errorf("line %d has more than %d columns", i, columns)
		}
		if i > 0 && l.at <= lines[i-1].at {
			t.Errorf("line %d comes before the one above it", i)
		}
	}
	if lines[1].class != "c" || lines[3].class != "h" || lines[2].class != "" {
		t.Errorf("%+v", lines[:4])
	}
	if got := homely("in /src/x/.demo", "/src/x"); got != "in ~/assertd/.demo" {
		t.Error(got)
	}
	drawn := draw(lines)
	wellFormed(t, drawn)
	if !strings.Contains(drawn, "2. &lt;Get&gt; &amp;") || strings.Count(drawn, "translateY(-") != len(lines)-rows {
		t.Error(drawn)
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

var step = regexp.MustCompile(`(?m)^say "([0-9]+\. [^"(:]+)`)

// TestRecordingIsCurrent: docs/demo.svg has each step of the demo script. If it
// doesn't, run make demo-svg.
func TestRecordingIsCurrent(t *testing.T) {
	recording, err := os.ReadFile("../../docs/demo.svg")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../demo.sh")
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, string(recording))
	steps := step.FindAllSubmatch(script, -1)
	for _, match := range steps {
		if !strings.Contains(string(recording), string(match[1])) {
			t.Errorf("docs/demo.svg has no step %q; run make demo-svg", match[1])
		}
	}
	if len(steps) < 5 {
		t.Errorf("found %d steps in the demo script", len(steps))
	}
}
