package modules

import (
	"testing"

	"github.com/assertd/assertd/test/softhsm"
)

// SoftHSM is the module that every other test uses.
func SoftHSM(t testing.TB) *Module {
	t.Helper()
	soft := softhsm.New(t)
	return &Module{
		Path: soft.Module, Label: soft.Label, PIN: soft.PIN, Environment: soft.Environment(), Write: []string{soft.Dir},
	}
}
