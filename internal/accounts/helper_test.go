package accounts

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assertd/assertd/internal/config"
)

const helper = "ASSERTD_TEST_LOOKUPS"

// TestMain makes the test's own binary a helper.
func TestMain(m *testing.M) {
	if os.Getenv(helper) == "" {
		os.Exit(m.Run())
	}
	if err := Serve(os.Stdin, os.Stdout, config.SystemAccounts()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func startHelper(t *testing.T, command ...string) *Helper {
	t.Helper()
	t.Setenv(helper, "yes")
	h, err := Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestHelperAnswersAsTheSystem(t *testing.T) {
	h := startHelper(t, "/proc/self/exe")
	if id, err := h.User("root"); id != 0 || err != nil {
		t.Errorf("root: %d, %v", id, err)
	}
	if id, err := h.User("daemon"); id != 1 || err != nil {
		t.Errorf("daemon: %d, %v", id, err)
	}
	if id, err := h.Group("daemon"); id != 1 || err != nil {
		t.Errorf("the group daemon: %d, %v", id, err)
	}
	for _, name := range []string{"no-such-a", "", "no\nsuch", `no"such`, "größe", strings.Repeat("x", maxName)} {
		if _, err := h.User(name); !errors.Is(err, config.ErrUnknownAccount) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"root\x00", strings.Repeat("x", maxName+1), strings.Repeat("\x00", 100_000)} {
		if _, err := h.Group(name); err == nil || errors.Is(err, config.ErrUnknownAccount) {
			t.Errorf("%.10q: %v", name, err)
		}
	}
	if id, err := h.Group("root"); id != 0 || err != nil {
		t.Errorf("afterwards: %d, %v", id, err)
	}
}

func TestHelperIsSafeForConcurrentUse(t *testing.T) {
	h := startHelper(t, "/proc/self/exe")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				name, want := []string{"root", "daemon"}[i%2], uint32(i%2)
				if id, err := h.User(name); id != want || err != nil {
					t.Errorf("%s: %d, %v", name, id, err)
				}
			}
		})
	}
	all.Wait()
}

func TestAHelperThatEndedSaysSo(t *testing.T) {
	h := startHelper(t, "true")
	for range 2 {
		if _, err := h.User("root"); !errors.Is(err, ErrGone) {
			t.Errorf("%v", err)
		}
	}
	if _, err := Start([]string{"/nonexistent"}); err == nil {
		t.Error("started")
	}
}

// A name service that hangs costs one lookup its patience, and others nothing.
func TestAHungNameService(t *testing.T) {
	h := startHelper(t, "sleep", "1000")
	synctest.Test(t, func(t *testing.T) {
		h := &Helper{in: h.in, answers: make(chan answer, 1)}
		for _, want := range []time.Duration{patience, 0, 0} {
			began := time.Now()
			if _, err := h.User("root"); !errors.Is(err, ErrNoAnswer) || time.Since(began) != want {
				t.Errorf("%v after %v, want %v", err, time.Since(began), want)
			}
		}
		h.answers <- answer{ID: 7} // to the first
		for {
			began := time.Now()
			if _, err := h.User("root"); time.Since(began) == patience { // it was asked
				break
			} else if !errors.Is(err, ErrNoAnswer) {
				t.Fatalf("%v: an answer to another question", err)
			}
		}
	})
}

func TestServeRefusesWhatIsNoQuestion(t *testing.T) {
	if err := Serve(strings.NewReader("root\n"), os.Stdout, config.SystemAccounts()); err == nil {
		t.Error("answered")
	}
}
