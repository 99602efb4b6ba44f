// Package workertest makes a test's own binary the program of its workers,
// which are real processes.
package workertest

import (
	"context"
	"fmt"
	"os"

	"github.com/assertd/assertd/hsm/worker"
)

const argument = "hsm-worker"

// Command is the command line of a worker.
func Command() []string { return []string{"/proc/self/exe", argument} }

// Serve is the first statement of TestMain. In a process that Command started,
// it serves the pool and exits. Elsewhere it does nothing.
func Serve() {
	if len(os.Args) < 2 || os.Args[1] != argument {
		return
	}
	if err := worker.Serve(context.Background(), os.NewFile(worker.FD, "pool"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
