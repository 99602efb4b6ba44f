package hsm_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// otherLogin is a token that is logged in to in another way, and the settings
// to open it.
func otherLogin(t *testing.T, l faulty.Login) (*softhsm.Token, *faulty.Module, hsm.Config) {
	t.Helper()
	soft, module := softhsm.New(t), faulty.Build(t)
	module.LogInBy(l, soft.PINFile())
	cfg := hsm.Config{Label: soft.Label}
	throughModule(t, module)(&cfg)
	return soft, module, cfg
}

// opens opens a token and makes a key there.
func opens(t *testing.T, cfg hsm.Config, source hsm.PINSource) *hsm.Token {
	t.Helper()
	pin, err := source.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := hsm.Open(cfg, pin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = token.Close() })
	generate(t, token, "key", hsm.P256)
	return token
}

func refuses(t *testing.T, cfg hsm.Config, source hsm.PINSource, says string) {
	t.Helper()
	pin, err := source.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hsm.Open(cfg, pin); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("opened: %v; want an error with %q", err, says)
	}
}

func TestTokenWithoutLogin(t *testing.T) {
	soft, module, cfg := otherLogin(t, faulty.NoPIN)
	opens(t, cfg, hsm.PINSource{None: true})
	if n := module.Calls(t, "C_Login"); n != 0 {
		t.Errorf("%d logins to a token that needs none", n)
	}
	cfg.Module = soft.Module
	refuses(t, cfg, hsm.PINSource{None: true}, "requires a login; set hsm.pin")
}

func TestPINPad(t *testing.T) {
	soft, module, cfg := otherLogin(t, faulty.Pad)
	token := opens(t, cfg, hsm.PINSource{Pad: true})
	if n := module.Calls(t, "C_Login"); n != 1 {
		t.Errorf("%d logins; want 1", n)
	}
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Module = soft.Module
	refuses(t, cfg, hsm.PINSource{Pad: true}, "has no PIN pad; set hsm.pin")
}

// The login of another process behind a proxy module is used. One of this
// process still isn't: see TestSecondOpenIsRefused.
func TestLoginOfAnotherProcess(t *testing.T) {
	soft, _, cfg := otherLogin(t, faulty.Shared)
	token := opens(t, cfg, hsm.PINSource{Value: hsm.NewPIN([]byte(soft.PIN))})
	if !token.Info().SharedLogin {
		t.Error("nothing says that the PIN wasn't checked")
	}
	refuses(t, cfg, hsm.PINSource{Value: hsm.NewPIN([]byte("wrong"))}, "already has token")
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	if token, err := hsm.Open(cfg, hsm.NewPIN([]byte(soft.PIN))); err != nil {
		t.Errorf("after the token was closed: %v", err)
	} else {
		_ = token.Close()
	}
}

// alwaysAuthenticating is a token with a key that needs the PIN for each
// signature.
func alwaysAuthenticating(t *testing.T, change ...func(*hsm.Config)) (*hsm.Key, *faulty.Module) {
	t.Helper()
	token, module := imitated(t, faulty.Provider{}, []foreign{{label: "always", id: "always", always: true}}, change...)
	key, err := token.Find(hsm.Selector{Label: "always"})
	if err != nil {
		t.Fatal(err)
	}
	return key, module
}

func always(c *hsm.Config) { c.AlwaysAuthenticate = true }

func TestKeyThatNeedsThePINForEachSignature(t *testing.T) {
	key, _ := alwaysAuthenticating(t)
	if err := key.Problem(); !errors.Is(err, hsm.ErrUnusable) || !strings.Contains(err.Error(), "hsm.always_authenticate") {
		t.Errorf("without the setting: %v", err)
	}
}

func TestPINIsEnteredForEachSignature(t *testing.T) {
	key, module := alwaysAuthenticating(t, always, withCopies)
	logins := module.Calls(t, "C_Login")
	var signing sync.WaitGroup
	for range 4 {
		signing.Go(func() {
			for range 5 {
				if err := key.Prove(t.Context(), "ES256"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	signing.Wait()
	if n := module.Calls(t, "C_Login") - logins; n != 20 {
		t.Errorf("%d logins for 20 signatures", n)
	}
}

// A PIN that was changed meanwhile is tried once, not once for each session.
func TestPINForSignaturesIsTriedOnce(t *testing.T) {
	key, module := alwaysAuthenticating(t, always)
	module.Set(t, "C_Login", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_PIN_INCORRECT})
	logins := module.Calls(t, "C_Login")
	var signing sync.WaitGroup
	for range 8 {
		signing.Go(func() {
			if err := key.Prove(t.Context(), "ES256"); !errors.Is(err, hsm.ErrPINIncorrect) || !hsm.IsFatal(err) {
				t.Errorf("with a PIN that the token refuses: %v", err)
			}
		})
	}
	signing.Wait()
	if n := module.Calls(t, "C_Login") - logins; n != 1 {
		t.Errorf("the PIN was tried %d times", n)
	}
}
