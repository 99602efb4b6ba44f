package jwks

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	keys := oneOfEach(t)
	ec, p384, rsa := keys[0], keys[1], keys[3]
	want := mustSet(t, ec, p384)
	parsed := func(change func(string) string, keys ...Key) Set {
		return mustParse(t, change(string(mustSet(t, keys...).JSON())))
	}
	remove := func(text string) func(string) string {
		return func(document string) string { return strings.Replace(document, text, "", 1) }
	}
	renamed := ec
	renamed.Kid = "their-name"
	impostor := rsa
	impostor.Kid = ec.Kid
	for _, test := range []struct {
		name     string
		have     Set
		complete bool
		report   []string
	}{
		{"same", want, true, []string{"2 the same, 0 missing, 0 different, 0 extra"}},
		{"empty", Set{}, false, []string{"missing  " + ec.Kid, "missing  " + p384.Kid, "0 the same, 2 missing"}},
		{"more than ours", mustSet(t, ec, p384, rsa), true, []string{"extra    " + rsa.Kid, "2 the same", "1 extra"}},
		{"no use", parsed(remove(`"use":"sig",`), ec, p384), false, []string{`use is missing, want "sig"`, "1 the same"}},
		{"no kid", parsed(remove(`"kid":"`+ec.Kid+`",`), ec, p384), false, []string{`kid is missing, want "` + ec.Kid}},
		{"no alg", parsed(remove(`"alg":"ES256",`), ec, p384), false, []string{`alg is missing, want "ES256"`}},
		{"another name", mustSet(t, renamed, p384), false, []string{`kid is "their-name", want`, "0 extra"}},
		{"another key under our kid", mustSet(t, impostor), false, []string{"another public key is under this kid", "missing  " + p384.Kid}},
		{"an encryption key too", mustParse(t, keySet(strings.Replace(goodEC, "%s", `,"use":"enc"`, 1))), false, []string{"1 of other kinds not compared"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := Diff(test.have, want)
			if d.Complete() != test.complete {
				t.Errorf("complete is %v", d.Complete())
			}
			for _, line := range test.report {
				if !strings.Contains(d.String(), line) {
					t.Errorf("%q is not in the report:\n%s", line, d)
				}
			}
			if _, err := json.Marshal(d); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDiffOfCertificates(t *testing.T) {
	root := newAuthority(t)
	private, key := newKey(t)
	bare := mustSet(t, key)
	key.Certificates = append(key.Certificates, root.issue(t, "payments", private.Public()))
	if d := Diff(bare, mustSet(t, key)); d.Complete() || !strings.Contains(d.String(), "x5c differs: 0 certificates, want 1") {
		t.Errorf("got %s", d)
	}
}
