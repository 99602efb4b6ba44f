package hsm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/test/softhsm"
	"github.com/miekg/pkcs11"
)

func openInternal(t *testing.T, sessions int) *Token {
	t.Helper()
	soft := softhsm.New(t)
	cfg := Config{Module: soft.Module, Label: soft.Label, Sessions: sessions, SessionCopies: true}
	token, err := Open(cfg, NewPIN([]byte(soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	return token
}

func TestBrokenSessionIsNotUsedAgain(t *testing.T) {
	token := openInternal(t, 1)
	var broken pkcs11.SessionHandle
	err := token.sessions.with(t.Context(), func(s session) error {
		broken = s.handle
		err := s.signInit(mechanismECDSA, 4711)
		return err
	})
	if !hasCode(err, pkcs11.CKR_OBJECT_HANDLE_INVALID) {
		t.Fatalf("signing with a handle that doesn't exist: %v", err)
	}
	if _, err := token.module.GetSessionInfo(broken); err == nil {
		t.Error("the broken session is still open")
	}
	if err := token.sessions.with(t.Context(), func(s session) error {
		if s.handle == broken {
			t.Error("the broken session was lent again")
		}
		_, err := s.find(privateKeys())
		return err
	}); err != nil {
		t.Errorf("after a broken session: %v", err)
	}
}

func TestWaitForASessionEndsWithItsContext(t *testing.T) {
	token := openInternal(t, 1)
	key, err := token.Generate(Spec{Label: "key", Type: Ed25519})
	if err != nil {
		t.Fatal(err)
	}
	err = token.sessions.with(t.Context(), func(session) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		return key.Prove(ctx, "")
	})
	if !errors.Is(err, context.DeadlineExceeded) || IsFatal(err) {
		t.Errorf("waiting for the only session while it is lent: %v", err)
	}
	if err := key.Prove(t.Context(), ""); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestCloseWaitsForSessions(t *testing.T) {
	token := openInternal(t, 2)
	lent, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		_ = token.sessions.with(context.Background(), func(session) error {
			close(lent)
			<-release
			return nil
		})
	}()
	<-lent
	go func() {
		defer close(closed)
		_ = token.Close()
	}()
	<-token.sessions.closed
	select {
	case <-closed:
		t.Error("Close returned while a session was lent")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	<-closed
}

// If a token reports that its PIN is locked or missing, it isn't tried.
func TestLoginIsNotTried(t *testing.T) {
	for _, test := range []struct {
		flags uint
		want  error
	}{
		{pkcs11.CKF_USER_PIN_INITIALIZED | pkcs11.CKF_USER_PIN_LOCKED, ErrPINLocked},
		{pkcs11.CKF_USER_PIN_INITIALIZED | pkcs11.CKF_USER_PIN_FINAL_TRY | pkcs11.CKF_USER_PIN_COUNT_LOW, ErrPINFinalTry},
		{pkcs11.CKF_TOKEN_INITIALIZED, ErrPINNotInitialized},
	} {
		if err := mayLogIn(slot{flags: test.flags}, byPIN, false); !errors.Is(err, test.want) {
			t.Errorf("flags %x: %v, want %v", test.flags, err, test.want)
		}
	}
}

func TestTrim(t *testing.T) {
	for padded, want := range map[string]string{"a b   ": "a b", "ab\x00\x00 ": "ab", " a": " a", "": ""} {
		if got := trim(padded); got != want {
			t.Errorf("%q became %q, want %q", padded, got, want)
		}
	}
}

func TestIsFatal(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&Error{"C_Sign", pkcs11.CKR_GENERAL_ERROR}, true},
		{&Error{"C_Sign", pkcs11.CKR_SESSION_HANDLE_INVALID}, true},
		{&Error{"C_Sign", pkcs11.CKR_USER_NOT_LOGGED_IN}, true},
		{&Error{"C_Sign", pkcs11.CKR_OBJECT_HANDLE_INVALID}, true},
		{&Error{"C_Sign", pkcs11.CKR_VENDOR_DEFINED + 7}, true},
		{&Error{"C_SignInit", pkcs11.CKR_MECHANISM_INVALID}, false},
		{&Error{"C_Sign", pkcs11.CKR_DATA_LEN_RANGE}, false},
		{fail(ErrKeyNotFound, &Error{"C_SignInit", pkcs11.CKR_OBJECT_HANDLE_INVALID}, "gone"), false},
		{fail(ErrTokenGone, &Error{"C_GetTokenInfo", pkcs11.CKR_GENERAL_ERROR}, "gone"), true},
		{fail(ErrCustody, nil, "extractable"), false},
		{fail(ErrSignature, nil, "bad"), true},
		{context.Canceled, false},
	} {
		if got := IsFatal(test.err); got != test.want {
			t.Errorf("IsFatal(%v) = %v", test.err, got)
		}
	}
}

func TestErrorKinds(t *testing.T) {
	for code, kind := range map[uint]error{
		pkcs11.CKR_PIN_INCORRECT:            ErrPINIncorrect,
		pkcs11.CKR_PIN_LOCKED:               ErrPINLocked,
		pkcs11.CKR_USER_PIN_NOT_INITIALIZED: ErrPINNotInitialized,
		pkcs11.CKR_DEVICE_REMOVED:           ErrTokenGone,
	} {
		err := callError("C_Login", pkcs11.Error(code))
		if !errors.Is(err, kind) {
			t.Errorf("%v isn't %v", err, kind)
		}
	}
	if got := (&Error{"C_Sign", pkcs11.CKR_GENERAL_ERROR}).Error(); got != "C_Sign: CKR_GENERAL_ERROR" {
		t.Errorf("the error reads %q", got)
	}
	for code, want := range map[uint]string{0x140: "CKR_CURVE_NOT_SUPPORTED", 0x203: "CKR_KEY_EXHAUSTED", 0x209: "CKR_PARAMETER_SET_NOT_SUPPORTED"} {
		if got := CodeName(code); got != want {
			t.Errorf("0x%X reads %q, want %s", code, got, want)
		}
	}
	if got := CodeName(0x8000beef); got != "CKR 0x8000BEEF" {
		t.Errorf("a vendor's code reads %q", got)
	}
}

// Generating a large key takes longer than the interval at which an owner calls
// Refresh.
func TestRefreshDoesNotWaitForGeneration(t *testing.T) {
	token := openInternal(t, 1)
	token.admin.Lock()
	defer token.admin.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := token.Refresh(ctx); err != nil {
		t.Error(err)
	}
}
