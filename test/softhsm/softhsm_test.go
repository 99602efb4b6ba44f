package softhsm_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assertd/assertd/test/softhsm"
)

func TestTokensShareNothing(t *testing.T) {
	first, second := softhsm.New(t), softhsm.New(t)
	if first.Serial == "" || first.Serial == second.Serial || first.PIN == second.PIN || first.Dir == second.Dir {
		t.Fatalf("two tokens share something: %+v and %+v", first, second)
	}
	if got := os.Getenv("SOFTHSM2_CONF"); got != second.ConfFile {
		t.Errorf("SOFTHSM2_CONF is %q, want the latest token's %q", got, second.ConfFile)
	}
}

func TestAddSharesTheDirectory(t *testing.T) {
	first := softhsm.New(t)
	second := first.Add(first.Label)
	if second.Dir != first.Dir || second.Serial == first.Serial || second.Label != first.Label {
		t.Fatalf("want two tokens with one label in one directory: %+v and %+v", first, second)
	}
}

func TestLoseAndRestore(t *testing.T) {
	token := softhsm.New(t)
	files := func() int {
		found, err := filepath.Glob(filepath.Join(token.Dir, "tokens", "*", "token.object"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	token.Lose()
	if files() != 0 {
		t.Error("the token is still there after Lose")
	}
	token.Restore()
	if files() != 1 {
		t.Error("the token isn't back after Restore")
	}
}

func TestPINFileIsPrivate(t *testing.T) {
	info, err := os.Stat(softhsm.New(t).PINFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the PIN file has mode %v (%v), want 0600", info.Mode(), err)
	}
}
