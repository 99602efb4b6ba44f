package config

import (
	"errors"
	"strings"
	"testing"
)

// hideable are accounts that a sandbox can hide.
type hideable struct{ hidden bool }

func (h *hideable) User(name string) (uint32, error) {
	if h.hidden || name != "sven" {
		return 0, ErrUnknownAccount
	}
	return 7, nil
}

func (h *hideable) Group(name string) (uint32, error) { return h.User(name) }

// TestRememberedAccounts hides accounts after the start, as the sandbox does.
func TestRememberedAccounts(t *testing.T) {
	source := &hideable{}
	start := RememberAccounts(source)
	if _, err := start.User("olga"); !errors.Is(err, ErrUnknownAccount) {
		t.Errorf("an unknown user at start: %v", err)
	}
	if id, err := start.User("sven"); id != 7 || err != nil {
		t.Errorf("%d, %v", id, err)
	}
	source.hidden = true
	running := start.Confined()
	if id, err := running.User("sven"); id != 7 || err != nil {
		t.Errorf("a known user at reload: %d, %v", id, err)
	}
	for _, lookup := range []func(string) (uint32, error){running.Group, running.User} {
		_, err := lookup("olga")
		if err == nil || errors.Is(err, ErrUnknownAccount) || !strings.Contains(err.Error(), "sandbox") {
			t.Errorf("a new name at reload: %v", err)
		}
	}
}
