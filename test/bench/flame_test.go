package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

const perfScript = "assertd \n\t 1 futex_wake\n\t 2 runtime.futex\n\t 3 main.<init>\n\nassertd \n\t 4 runtime.futex\n\t 3 main.<init>\n\n" +
	"assertd \n\t 5 crypto/ecdsa.Verify\n"

func TestFold(t *testing.T) {
	root, err := fold(strings.NewReader(perfScript))
	if err != nil {
		t.Fatal(err)
	}
	outer := root.calls["main.<init>"]
	if root.samples != 3 || outer == nil || outer.samples != 2 || outer.calls["runtime.futex"].calls["futex_wake"].samples != 1 || root.depth(1) != 3 {
		t.Errorf("%+v", root)
	}
	if _, err := fold(strings.NewReader("")); err == nil {
		t.Error("no samples are a flame graph")
	}
}

// The drawing is XML, whatever functions are named, and leaves out what is too
// narrow to see.
func TestFlameIsXML(t *testing.T) {
	root, err := fold(strings.NewReader(perfScript))
	if err != nil {
		t.Fatal(err)
	}
	root.samples, root.calls["main.<init>"].samples = 1000, 999
	var out strings.Builder
	if err := root.svg(&out, "a < b"); err != nil {
		t.Fatal(err)
	}
	tokens := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		if _, err := tokens.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	if !strings.Contains(out.String(), "main.&lt;init&gt;, 99.9%") || strings.Contains(out.String(), "Verify") {
		t.Error(out.String())
	}
}
