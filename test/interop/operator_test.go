package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// operatorSocket is the path of a socket for operators; it must be short.
func operatorSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "assertd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "o")
}

// ownOperatorSocket finds the operator's socket in a configuration.
var ownOperatorSocket = regexp.MustCompile(`(?m)^operator: {socket: (.*)}$`)

func (d *daemon) operator(t *testing.T) *client.Operator {
	t.Helper()
	found := ownOperatorSocket.FindStringSubmatch(d.own)
	if found == nil {
		t.Fatal("the configuration has no socket for operators")
	}
	o, err := client.NewOperator(found[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func (d *daemon) freeze(t *testing.T, target ipc.FreezeTarget) {
	t.Helper()
	if _, err := d.operator(t).Freeze(t.Context(), ipc.FreezeRequest{FreezeTarget: target, Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) thaw(t *testing.T, target ipc.FreezeTarget) {
	t.Helper()
	if _, err := d.operator(t).Thaw(t.Context(), target); err != nil {
		t.Fatal(err)
	}
}
