package witness

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// ErrKey is for a public key of a witness that can't be used.
var ErrKey = errors.New("not the public key of a witness")

// algCosignature is signature type 0x04 of C2SP signed-note: Ed25519
// cosignatures with a time (C2SP tlog-cosignature).
const algCosignature = 0x04

// ParseKey reads the public key of a witness, <name>+<hash>+<base64>, as
// witnesses publish it. Only Ed25519 cosignature keys are supported.
func ParseKey(text string) (note.Verifier, error) {
	text = strings.TrimSpace(text)
	name, rest, _ := strings.Cut(text, "+")
	_, data64, ok := strings.Cut(rest, "+")
	data, err := base64.StdEncoding.DecodeString(data64)
	if !ok || err != nil || len(data) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w; use the text <name>+<hash>+<base64> of an Ed25519 key", ErrKey)
	}
	if data[0] != algCosignature {
		return nil, fmt.Errorf("%w: its type is %d instead of 4; use the key that the witness publishes", ErrKey, data[0])
	}
	signer, err := torchwood.NewCosignatureSigner(name, publicOnly(data[1:]))
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	if v := signer.Verifier(); v.String() == text {
		return v, nil
	}
	return nil, fmt.Errorf("%w: its hash does not match the key; copy all of what the witness publishes", ErrKey)
}

// publicOnly is a key that can't sign. torchwood makes a verifier only from a
// crypto.Signer.
type publicOnly ed25519.PublicKey

func (k publicOnly) Public() crypto.PublicKey { return ed25519.PublicKey(k) }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("witness: only the public key is known")
}
