package audit

import (
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// FuzzNote reads what may be a signed checkpoint (C2SP tlog-checkpoint), and
// what may be a verifier's key. No note passes that no key signed, and what is
// read means one thing.
func FuzzNote(f *testing.F) {
	key := ed25519Key(f)
	const text = "example.com/log\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	f.Add(text + "\n\u2014 example.com/log AAAAAAAA\n")
	f.Add(text + "extension\n\n\u2014 example.com/log AAAAAAAA\n\u2014 other AAAAAAAA\n")
	f.Add("example.com/log\n03\n\n\n\n\u2014 x y\n")
	f.Add("example.com/log\n-1\nAA==\n\n")
	f.Add("example.com/log+00000000+AQ==")
	f.Add("example.com/log+00000000+AkEE")
	f.Fuzz(func(t *testing.T, given string) {
		checkpoint, signed, err := OpenCheckpoint([]byte(given), key.verifiers)
		if signed {
			t.Fatalf("accepted %q", given)
		}
		if err == nil && !strings.HasPrefix(given, checkpoint.text()) {
			t.Fatalf("read %+v from %q", checkpoint, given)
		}
		if verifier, err := ParseVerifier(given); err == nil {
			if _, err := note.Open([]byte(text+"\n\u2014 "+verifier.Name()+" AAAAAAAA\n"), note.VerifierList(verifier)); err == nil {
				t.Fatalf("%q accepts anything", given)
			}
		}
		if line, _, err := parseCosignatureLine([]byte(given)); err == nil && !strings.Contains(line.Note, "\n\n") {
			t.Fatalf("a cosignature without a signature: %q", given)
		}
	})
}
