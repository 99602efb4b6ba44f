package modules

import (
	"os"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// probePages is where -update writes what assertd hsm probe says of a module.
const probePages = "../../docs/hsm/probe/"

// varies are the parts of a probe's output that differ from run to run.
var varies = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?m)^slot      \d+, (SoftHSM slot ID )?.*$`), "slot      …"},
	{regexp.MustCompile(`"test-\w+"`), `"test"`},
	{regexp.MustCompile(`serial \w+,`), "serial …,"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "…"},
	{regexp.MustCompile(`probe [0-9a-f]{8}`), "probe …"},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// duration is how long something took, which the page shows as spaces.
var duration = regexp.MustCompile(`, [\d.]+(µs|ms|s)\b`)

// probes has assertd hsm probe look at the token and try what it can do. What
// it says is for people, so it only has to succeed here. Some modules can't
// destroy what they made, such as tpm2-pkcs11 a P-521 key.
func (s *site) probes() {
	s.t.Helper()
	if s.m.Only != nil { // keys of each type would take more room than it has
		s.assertd("hsm", "probe")
		return
	}
	text := s.assertd("hsm", "probe", "--try", "--timeout", "2m")
	if !strings.Contains(text, "\nTried on token ") || !strings.Contains(text, "\nmakes     ") {
		s.t.Errorf("assertd hsm probe --try says\n%s", text)
	}
	if !*update {
		return
	}
	text = duration.ReplaceAllStringFunc(text, func(d string) string { return strings.Repeat(" ", utf8.RuneCountInString(d)) })
	for _, v := range varies {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	check(s.t, os.MkdirAll(probePages, 0o755))
	check(s.t, os.WriteFile(probePages+strings.ReplaceAll(path.Base(s.t.Name()), "_", "-")+".txt", []byte(text), 0o644))
}
