package pool

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/assertd/assertd/hsm"
)

// The pause before a locked token is looked at again doubles, up to a bound.
// One that refused the PIN is left in peace for good.
func TestPauseOfALockedPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &pinMemory{}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 16, 16} {
			m.hold(hsm.ErrPINLocked, time.Minute)
			pause := want * time.Minute
			time.Sleep(pause - time.Nanosecond)
			if m.mayTry(time.Now()) == nil {
				t.Fatalf("tried before %v", pause)
			}
			time.Sleep(time.Nanosecond)
			if err := m.mayTry(time.Now()); err != nil {
				t.Fatalf("not tried after %v: %v", pause, err)
			}
		}
		m.hold(hsm.ErrPINIncorrect, time.Minute)
		time.Sleep(1000 * time.Hour)
		if m.mayTry(time.Now()) == nil {
			t.Error("a PIN that was refused is tried again by itself")
		}
		m.hold(hsm.ErrPINLocked, time.Minute)
		if pause := time.Until(m.retryAt); pause != time.Minute {
			t.Errorf("the first pause of another lockout is %v", pause)
		}
	})
}

func TestRefusedPINsAreBounded(t *testing.T) {
	m := &pinMemory{}
	for n := range 3 * maxRefused {
		m.remember(hsm.PINDigest{byte(n)})
		m.remember(hsm.PINDigest{byte(n)})
	}
	if len(m.refused) != maxRefused || m.refused[maxRefused-1] != (hsm.PINDigest{3*maxRefused - 1}) {
		t.Errorf("%d PINs are remembered", len(m.refused))
	}
}
