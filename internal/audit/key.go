package audit

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/assertd/assertd/internal/jose"
)

// algECDSA is signature type 0x02 of C2SP signed-note: ECDSA over SHA-256,
// ASN.1 DER. Unlike for other types, its key ID is the truncated SHA-256 of the
// SPKI only. The note package knows only type 0x01, Ed25519.
const algECDSA = 0x02

// Key is a key that signs checkpoints: Ed25519 or ECDSA P-256.
type Key struct {
	Public crypto.PublicKey
	// Sign follows crypto.Signer. For Ed25519 it gets the message and
	// crypto.Hash(0). For ECDSA it gets the SHA-256 digest and crypto.SHA256 in
	// a jose.WithMessage, since some tokens hash the message themselves, and
	// returns ASN.1 DER.
	Sign func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// noteSigner is a note.Signer for a Key. It is good for one note, because it
// holds the context of that signature.
type noteSigner struct {
	note.Verifier
	ctx context.Context
	key Key
}

// Sign implements note.Signer.
func (s *noteSigner) Sign(msg []byte) ([]byte, error) {
	if _, ok := s.key.Public.(ed25519.PublicKey); ok {
		return s.key.Sign(s.ctx, msg, crypto.Hash(0))
	}
	digest := sha256.Sum256(msg)
	return s.key.Sign(s.ctx, digest[:], jose.WithMessage{SignerOpts: crypto.SHA256, Message: msg})
}

// newNoteSigner returns a note.Signer (C2SP signed-note) for the key under a
// name. Its signatures end with ctx.
func newNoteSigner(ctx context.Context, name string, key Key) (note.Signer, error) {
	v, err := NewVerifier(name, key.Public)
	if err != nil {
		return nil, err
	}
	return &noteSigner{Verifier: v, ctx: ctx, key: key}, nil
}

// VerifierKey returns the text form of a public key, <name>+<hash>+<base64>, as
// note.NewVerifier and the transparency-dev tools read it. It is public.
func VerifierKey(name string, public crypto.PublicKey) (string, error) {
	if !validName(name) {
		return "", fmt.Errorf("%w: invalid name %q; use a name without white space or \"+\"", ErrKey, name)
	}
	switch k := public.(type) {
	case ed25519.PublicKey:
		return note.NewEd25519VerifierKey(name, k)
	case *ecdsa.PublicKey:
		spki, err := ecdsaSPKI(k)
		if err != nil {
			return "", err
		}
		data := append([]byte{algECDSA}, spki...)
		return fmt.Sprintf("%s+%08x+%s", name, ecdsaKeyID(spki), base64.StdEncoding.EncodeToString(data)), nil
	}
	return "", fmt.Errorf("%w: %T; set the algorithm of the checkpoint key set to ES256 or Ed25519", ErrKey, public)
}

// NewVerifier returns the note.Verifier for a public key under a name.
func NewVerifier(name string, public crypto.PublicKey) (note.Verifier, error) {
	text, err := VerifierKey(name, public)
	if err != nil {
		return nil, err
	}
	return ParseVerifier(text)
}

// ParseVerifier reads the text form that VerifierKey returns.
func ParseVerifier(text string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), "+")
	id, data64, _ := strings.Cut(rest, "+")
	data, err := base64.StdEncoding.DecodeString(data64)
	if err != nil || len(data) == 0 || !validName(name) {
		return nil, fmt.Errorf("%w: want <name>+<hash>+<base64>", ErrKey)
	}
	if data[0] != algECDSA {
		v, err := note.NewVerifier(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrKey, err)
		}
		return v, nil
	}
	return parseECDSAVerifier(name, id, data[1:])
}

func parseECDSAVerifier(name, id string, spki []byte) (note.Verifier, error) {
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	k, ok := public.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: type 2 with a %T", ErrKey, public)
	}
	canonical, err := ecdsaSPKI(k)
	if err != nil {
		return nil, err
	}
	if got, err := strconv.ParseUint(id, 16, 32); err != nil || uint32(got) != ecdsaKeyID(canonical) {
		return nil, fmt.Errorf("%w: hash %q does not match the key", ErrKey, id)
	}
	return &ecdsaVerifier{name: name, id: ecdsaKeyID(canonical), public: k}, nil
}

type ecdsaVerifier struct {
	name   string
	id     uint32
	public *ecdsa.PublicKey
}

func (v *ecdsaVerifier) Name() string    { return v.name }
func (v *ecdsaVerifier) KeyHash() uint32 { return v.id }

// Verify implements note.Verifier.
func (v *ecdsaVerifier) Verify(msg, sig []byte) bool {
	digest := sha256.Sum256(msg)
	return ecdsa.VerifyASN1(v.public, digest[:], sig)
}

func ecdsaSPKI(k *ecdsa.PublicKey) ([]byte, error) {
	if k.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: ECDSA on %s; set the algorithm of the checkpoint key set to ES256 or Ed25519",
			ErrKey, k.Curve.Params().Name)
	}
	spki, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrKey, err)
	}
	return spki, nil
}

func ecdsaKeyID(spki []byte) uint32 {
	sum := sha256.Sum256(spki)
	return binary.BigEndian.Uint32(sum[:])
}

// validName checks the syntax of key names in C2SP signed-note. It also keeps
// the first line of a checkpoint one line.
func validName(name string) bool {
	bad := func(r rune) bool { return r == '+' || unicode.IsSpace(r) || unicode.IsControl(r) }
	return name != "" && utf8.ValidString(name) && strings.IndexFunc(name, bad) < 0
}
