package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

// message is signed in cases without assertions. It is as long as an
// assertion's signing input.
var message = make([]byte, 400)

// mechanismEdDSA is CKM_EDDSA (PKCS#11 3.0), which miekg/pkcs11 doesn't define.
const mechanismEdDSA = 0x1057

// digestInfo is the DER of SHA-256's DigestInfo before the hash (RFC 8017,
// section 9.2).
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// rawModule is the baseline: miekg/pkcs11 with one session and nothing else.
func rawModule(e env) (prepare, error) {
	ctx, session, err := openModule(e)
	if err != nil {
		return nil, err
	}
	return func(t task) (operation, error) {
		key, err := findRaw(ctx, session, e.labelOf(t.Alg))
		if err == nil && t.Do == "copy" {
			key, err = ctx.CopyObject(session, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)})
		}
		mechanism, input := mechanismOf(t.Alg)
		return func() (int, error) {
			if err := ctx.SignInit(session, mechanism, key); err != nil {
				return 0, err
			}
			_, err := ctx.Sign(session, input())
			return 1, err
		}, err
	}, nil
}

// mechanismOf returns the algorithm's PKCS#11 mechanism and a function that
// makes its input. Hashing is part of each operation.
func mechanismOf(alg string) ([]*pkcs11.Mechanism, func() []byte) {
	digest := func() []byte { sum := sha256.Sum256(message); return sum[:] }
	switch alg {
	case "RS256":
		return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS, nil)}, func() []byte { return append(digestInfo[:len(digestInfo):len(digestInfo)], digest()...) }
	case "EdDSA":
		return []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanismEdDSA, nil)}, func() []byte { return message }
	}
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, digest
}

// openModule loads the module and opens a session that is logged in.
func openModule(e env) (*pkcs11.Ctx, pkcs11.SessionHandle, error) {
	ctx := pkcs11.New(e.Module)
	if ctx == nil {
		return nil, 0, fmt.Errorf("load %s", e.Module)
	}
	if err := ctx.Initialize(); err != nil {
		return nil, 0, err
	}
	session, err := openRaw(ctx, e)
	return ctx, session, err
}

func openRaw(ctx *pkcs11.Ctx, e env) (pkcs11.SessionHandle, error) {
	slots, err := ctx.GetSlotList(true)
	if err != nil || len(slots) == 0 {
		return 0, errors.Join(errors.New("no token"), err)
	}
	session, err := ctx.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return 0, err
	}
	pin, err := os.ReadFile(e.PINFile)
	if err != nil {
		return 0, err
	}
	return session, ctx.Login(session, pkcs11.CKU_USER, string(pin))
}

func findRaw(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, label string) (pkcs11.ObjectHandle, error) {
	if err := ctx.FindObjectsInit(session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	}); err != nil {
		return 0, err
	}
	keys, _, err := ctx.FindObjects(session, 2)
	if err == nil {
		err = ctx.FindObjectsFinal(session)
	}
	if err != nil || len(keys) != 1 {
		return 0, fmt.Errorf("%d keys %q: %w", len(keys), label, err)
	}
	return keys[0], nil
}

// viaCrypto11 signs with the library that most Go programs use, with as many
// sessions as assertd's workers have.
func viaCrypto11(e env) (prepare, error) {
	pin, err := os.ReadFile(e.PINFile)
	if err != nil {
		return nil, err
	}
	ctx, err := crypto11.Configure(&crypto11.Config{Path: e.Module, TokenLabel: tokenLabel, Pin: string(pin), MaxSessions: 4})
	if err != nil {
		return nil, err
	}
	return func(t task) (operation, error) {
		key, err := ctx.FindKeyPair(nil, []byte(e.labelOf(t.Alg)))
		if err == nil && key == nil {
			err = fmt.Errorf("no key %q", e.labelOf(t.Alg))
		}
		return func() (int, error) {
			digest := sha256.Sum256(message)
			_, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
			return 1, err
		}, err
	}, nil
}
