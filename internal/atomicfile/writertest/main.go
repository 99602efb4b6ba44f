// Package writertest makes a test's own binary the program of its
// atomicfile.Writer, whose children are real processes.
package writertest

import (
	"fmt"
	"os"

	"github.com/assertd/assertd/internal/atomicfile"
)

const argument = "write-file"

// Command is the command line of a process that writes a file.
func Command() []string { return []string{"/proc/self/exe", argument} }

// Serve belongs at the start of TestMain. In a process that Command started, it
// writes the file and exits. Elsewhere it does nothing.
func Serve() {
	if len(os.Args) < 2 || os.Args[1] != argument {
		return
	}
	if err := atomicfile.Serve(os.Args[2:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
