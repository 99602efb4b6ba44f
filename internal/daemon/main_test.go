package daemon

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/assertd/assertd/hsm/worker"
)

// TestMain makes the test's own binary the program of workers and callers: they
// are real processes.
func TestMain(m *testing.M) {
	if os.Getenv(childRole) != "" {
		if err := askAsCaller(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "hsm-worker" {
		if err := worker.Serve(context.Background(), os.NewFile(worker.FD, "pool")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
