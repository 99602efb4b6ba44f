package witness

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

func TestParseKey(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	signer, err := torchwood.NewCosignatureSigner("witness.example.com", private)
	if err != nil {
		t.Fatal(err)
	}
	text := signer.Verifier().String()
	v, err := ParseKey(text + "\n")
	if err != nil || v.Name() != "witness.example.com" || v.KeyHash() != signer.KeyHash() {
		t.Errorf("%v, %v", v, err)
	}
	plain, err := note.NewEd25519VerifierKey("witness.example.com", private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "witness.example.com", "a+b+c", plain,
		strings.Replace(text, "witness.example.com", "other.example.com", 1),
		strings.TrimSuffix(text, text[len(text)-8:]),
	} {
		if _, err := ParseKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("%q: error %v", bad, err)
		}
	}
	t.Log(text)
}
