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

// openModule loads the module with miekg/pkcs11 and opens a session that is
// logged in.
func openModule(e env) (*pkcs11.Ctx, pkcs11.SessionHandle, error) {
	ctx := pkcs11.New(e.Module)
	if ctx == nil {
		return nil, 0, fmt.Errorf("load %s", e.Module)
	}
	if err := ctx.Initialize(); err != nil {
		return nil, 0, err
	}
	session, err := openSession(ctx, e)
	return ctx, session, err
}

func openSession(ctx *pkcs11.Ctx, e env) (pkcs11.SessionHandle, error) {
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
