package hsm

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/assertd/assertd/internal/jose"
	"github.com/miekg/pkcs11"
)

var (
	_ crypto.Signer        = (*Key)(nil)
	_ crypto.MessageSigner = (*Key)(nil)
)

// Key is a key pair on a token whose private half never leaves it. It is a
// crypto.Signer, safe for concurrent use, and valid while its Token is open.
type Key struct {
	token    *Token
	identity identity
	label    string
	id       []byte
	kind     uint // CKK_
	public   crypto.PublicKey
	spki     []byte // public, encoded; nil if there is none
	custody  Custody
	held     Custody  // custody with what is excused as it must be
	excuses  []Excuse // why held differs from custody
	allowed  []uint   // CKA_ALLOWED_MECHANISMS; nil if unrestricted or unknown
	problem  error
}

// Label is the private key's CKA_LABEL.
func (k *Key) Label() string { return k.label }

// ID is a copy of the private key's CKA_ID.
func (k *Key) ID() []byte { return bytes.Clone(k.id) }

// Type is the key pair's type; "" if the public half is unknown or of a type
// that this package can't use.
func (k *Key) Type() KeyType { return typeOf(k.public) }

// Public is an *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey or
// *mldsa.PublicKey; nil if
// the key has a Problem that hides it.
func (k *Key) Public() crypto.PublicKey { return k.public }

// SPKI is Public as a SubjectPublicKeyInfo (RFC 5280 section 4.1), nil without
// one. The caller must not change it.
func (k *Key) SPKI() []byte { return k.spki }

// Fingerprint is the jose.Fingerprint of Public, zero without one.
func (k *Key) Fingerprint() [sha256.Size]byte { return k.identity.public }

// Custody is how the token held the key when it was read.
func (k *Key) Custody() Custody { return k.custody }

// Excuses lists the attributes that custody would refuse, but for a quirk of
// the token's provider or Config.AcceptUnknown.
func (k *Key) Excuses() []Excuse { return slices.Clone(k.excuses) }

// Refused reports whether the key must not sign for the way it is held.
func (k *Key) Refused() bool { return k.held.Check() != nil }

// Imported reports whether the key was outside the token before, or the token
// doesn't tell that it wasn't.
func (k *Key) Imported() bool { return k.held.imported() }

// Problem says why the key can't be used, nil if it can: ErrCustody,
// ErrAmbiguous or ErrUnusable. Sign returns it.
func (k *Key) Problem() error { return k.problem }

// String names the key for people.
func (k *Key) String() string {
	if k.label == "" {
		return fmt.Sprintf("with ID %x", k.id)
	}
	return fmt.Sprintf("%q", k.label)
}

// Sign implements crypto.Signer: it signs a digest by opts.HashFunc or, for
// Ed25519 with crypto.Hash(0), the message itself. The token has its own
// randomness, so the reader isn't used. For opts see SignContext.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

// SignContext signs; ctx bounds the wait for a free session, not the module's
// own work.
//
// The hash is SHA-256, SHA-384 or SHA-512. RSA keys make RSASSA-PKCS1-v1_5
// signatures or, with *rsa.PSSOptions, RSASSA-PSS ones with a salt as long as
// the hash (RFC 7518 section 3.5). ECDSA signatures are ASN.1 DER.
//
// Errors: the key's Problem; ErrAlgorithm for other options; ErrKeyNotFound if
// the key was destroyed; ErrTokenGone, ErrClosed, ErrSignature; or an *Error.
// IsFatal says which of them mean that this process must exit.
func (k *Key) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := k.sign(ctx, digest, opts)
	if err != nil {
		return nil, k.explain(err)
	}
	return signature, nil
}

// sign is SignContext for callers that hold admin, with the module's errors
// unexplained.
func (k *Key) sign(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if k.problem != nil {
		return nil, k.problem
	}
	raw, err := formFor(k.public, digest, opts)
	if err != nil {
		return nil, err
	}
	if _, err := k.allowedForms([]form{raw}); err != nil {
		return nil, err
	}
	return k.signForm(ctx, raw)
}

func (k *Key) signForm(ctx context.Context, form form) (raw []byte, err error) {
	err = k.token.onceKnown(ctx, func() error {
		return k.token.sessions.with(ctx, func(s session) error {
			raw, err = k.signOn(s, form)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return form.encode(raw)
}

// signOn makes one signature on a session.
func (k *Key) signOn(s session, form form) ([]byte, error) {
	handle, everyTime := k.token.copies.handle(s, k), k.custody.AlwaysAuthenticate == True
	if d := k.token.direct; d != nil && !everyTime {
		return d.sign(s, handle, form)
	}
	if err := s.signInit(form.mechanism, handle); err != nil {
		return nil, err
	}
	if everyTime {
		if err := k.token.again.enter(s); err != nil {
			return nil, err
		}
	}
	return s.sign(form.input)
}

// SignMessage implements crypto.MessageSigner: it signs a message, hashed by
// opts.HashFunc here or by the token, if the token has only the mechanisms that
// do. For opts and errors see SignContext.
func (k *Key) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignMessageContext(context.Background(), message, opts)
}

// SignMessageContext is SignMessage with a context, which bounds the wait for a
// free session.
func (k *Key) SignMessageContext(ctx context.Context, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	signature, err := k.signMessage(ctx, message, opts)
	if err != nil {
		return nil, k.explain(err)
	}
	return signature, nil
}

// signMessage is SignMessageContext for callers that hold admin, with the
// module's errors unexplained.
func (k *Key) signMessage(ctx context.Context, message []byte, opts crypto.SignerOpts) (signature []byte, refusal error) {
	if k.problem != nil {
		return nil, k.problem
	}
	forms, err := k.forms(message, opts)
	if err != nil {
		return nil, err
	}
	for _, form := range forms {
		signature, err := k.signForm(ctx, form)
		if !refusesMechanism(err) {
			return signature, err
		}
		k.token.refused.Store(refusedForm{k.identity.public, form.mechanism.Mechanism}, nil)
		refusal = cmp.Or(refusal, err)
	}
	return nil, refusal
}

// explain finds out what a failed signature means.
func (k *Key) explain(err error) error {
	switch {
	case hasCode(err, pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID):
		return k.token.missing(k, err)
	case hasCode(err, pkcs11.CKR_MECHANISM_INVALID):
		return fail(ErrAlgorithm, err, "the token doesn't support this algorithm with key %s, though its type would allow it%s", k, k.signsInstead())
	}
	return err
}

// signsInstead says which algorithms of the key's type the token lists.
func (k *Key) signsInstead() string {
	var algs []string
	for _, o := range k.token.Offers() {
		if o.Sign && slices.Contains(jose.NamesFor(jose.KindOf(k.public)), o.Alg) {
			algs = append(algs, o.Alg)
		}
	}
	if algs == nil {
		return ""
	}
	return "; by its list of mechanisms it signs " + enumerate(algs, "and")
}

// missing says why a key's handle is no longer valid. A search that doesn't
// find the key doesn't prove that it was destroyed.
func (t *Token) missing(k *Key, cause error) error {
	_, err := t.Find(Selector{Label: k.label, ID: k.id})
	switch {
	case errors.Is(err, ErrKeyNotFound):
		return fail(ErrKeyNotFound, cause, "key %s is no longer on token %s", k, t.slot)
	case errors.Is(err, ErrTokenGone):
		return err
	}
	return cause
}

// read describes the key of a private key object. A fault of the key becomes
// its problem; a fault of the token is an error.
func (t *Token) read(halves *publicHalves, handle pkcs11.ObjectHandle) (*Key, error) {
	names := []uint{pkcs11.CKA_LABEL, pkcs11.CKA_ID, pkcs11.CKA_KEY_TYPE}
	values, err := halves.session.attributes(handle, append(names, custodyAttributes()...)...)
	if err != nil {
		return nil, err
	}
	k := &Key{token: t, identity: identity{handle: handle}, label: string(values[0]), id: values[1]}
	k.custody = custodyOf(values[len(names):])
	var known, recalled bool
	if k.kind, known = ulong(values[2]); known {
		recalled = halves.former.recall(k)
	}
	// An excuse may depend on the allowed mechanisms, so those are read again.
	if !recalled || k.custody.Check() != nil {
		if k.allowed, err = halves.session.allowedMechanisms(handle); err != nil {
			return nil, err
		}
	}
	k.held, k.excuses = t.judgement.excuse(k.custody, k.kind, k.allowed)
	if !known {
		k.problem = fail(ErrUnusable, nil, "the token doesn't tell the key's type")
	} else if !recalled {
		k.public, k.problem = halves.of(handle, k.kind, k.label, k.id)
	}
	var called *Error
	if errors.As(k.problem, &called) {
		return nil, k.problem
	}
	k.encode()
	if err := k.check(); k.problem == nil {
		k.problem = err
	} else if err != nil {
		k.problem = fmt.Errorf("%w; %w", k.problem, err)
	}
	return k, nil
}

// encode fills in SPKI and Fingerprint, unless they were recalled.
func (k *Key) encode() {
	if k.public == nil || k.spki != nil {
		return
	}
	if spki, err := jose.MarshalSPKI(k.public); err == nil {
		k.spki, k.identity.public = spki, sha256.Sum256(spki)
	}
}

// check checks what every key must meet.
func (k *Key) check() error {
	if err := k.held.Check(); err != nil {
		return err
	}
	if k.custody.AlwaysAuthenticate == True && k.token.again == nil {
		return fail(ErrUnusable, nil, "the key needs the PIN for every signature (CKA_ALWAYS_AUTHENTICATE); "+
			"generate one without it, or set hsm.always_authenticate and a PIN that can be read")
	}
	if k.public != nil && k.Type() == "" {
		return fail(ErrUnusable, nil, "keys of type %T aren't supported", k.public)
	}
	return nil
}
