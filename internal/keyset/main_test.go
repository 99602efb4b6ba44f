package keyset_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/assertd/assertd/hsm/worker"
)

// TestMain makes the test's own binary the program of workers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		if err := worker.Serve(context.Background(), os.NewFile(worker.FD, "pool")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
