package audit

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// rekor is the verifier key of the public Rekor log, as documented by the
// transparency-dev tools: an ECDSA key with signature type 2, whose key ID
// someone else computed.
const rekor = "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc="

func TestVerifierKeyMatchesRekor(t *testing.T) {
	v, err := ParseVerifier(rekor)
	if err != nil {
		t.Fatal(err)
	}
	text, err := VerifierKey(v.Name(), v.(*ecdsaVerifier).public)
	if err != nil || text != rekor {
		t.Errorf("%q, %v", text, err)
	}
}

func TestSignedNotes(t *testing.T) {
	for name, s := range map[string]testKey{"Ed25519": ed25519Key(t), "ECDSA": ecdsaKey(t)} {
		t.Run(name, func(t *testing.T) {
			msg, err := Checkpoint{Origin: testOrigin, Size: 3}.sign(t.Context(), s.key)
			if err != nil {
				t.Fatal(err)
			}
			c, signed, err := OpenCheckpoint(msg, s.verifiers)
			if err != nil || !signed || c.Size != 3 || c.Origin != testOrigin {
				t.Errorf("%+v %v %v", c, signed, err)
			}
			if _, signed, err = OpenCheckpoint(msg, nil); signed || err != nil {
				t.Errorf("without a key: %v %v", signed, err)
			}
			if _, signed, err = OpenCheckpoint(msg, ed25519Key(t).verifiers); signed || err != nil {
				t.Errorf("with another key: %v %v", signed, err)
			}
			forged := strings.Replace(string(msg), "\n3\n", "\n4\n", 1)
			if _, signed, err = OpenCheckpoint([]byte(forged), s.verifiers); signed || err == nil {
				t.Errorf("forged: %v %v", signed, err)
			}
			text, err := VerifierKey(testOrigin, s.key.Public)
			if err != nil {
				t.Fatal(err)
			}
			if v, err := ParseVerifier(text + "\n"); err != nil || v.KeyHash() != s.verifiers[0].KeyHash() {
				t.Errorf("%v", err)
			}
		})
	}
}

// A signature under a name other than the checkpoint's origin says nothing
// about this log.
func TestSignatureUnderAnotherName(t *testing.T) {
	s := ed25519Key(t)
	signer, err := newNoteSigner(t.Context(), "other.example", s.key)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := note.Sign(&note.Note{Text: Checkpoint{Origin: testOrigin, Size: 1}.text()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier("other.example", s.key.Public)
	if err != nil {
		t.Fatal(err)
	}
	if _, signed, err := OpenCheckpoint(msg, []note.Verifier{v}); signed || err != nil {
		t.Errorf("%v %v", signed, err)
	}
}

func TestUnusableKeys(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, public := range []any{&p384.PublicKey, &rsaKey.PublicKey, nil} {
		if _, err := newNoteSigner(context.Background(), testOrigin, Key{Public: public}); !errors.Is(err, ErrKey) {
			t.Errorf("%T: %v", public, err)
		}
	}
	if _, err := VerifierKey("with space", ed25519Key(t).key.Public); !errors.Is(err, ErrKey) {
		t.Errorf("name: %v", err)
	}
	for _, text := range []string{"", "a+b", strings.Replace(rekor, "c0d2", "c0d3", 1), rekor[:60], "x+00000000+AQ==", strings.Replace(rekor, "+AjBZ", "+AzBZ", 1)} {
		if _, err := ParseVerifier(text); !errors.Is(err, ErrKey) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
