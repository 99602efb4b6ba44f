package main

import (
	"fmt"
	"io"
	"os"

	"github.com/assertd/assertd/internal/config"
)

// checkPaths prints every problem with a path, and whether the configuration
// accepts it.
func checkPaths(c *config.Config, out io.Writer) (refused bool) {
	for _, v := range c.Judge(c.AllPaths()) {
		for _, p := range v.Accepted {
			fmt.Fprintf(out, "warning, accepted: %s: %s %s\n", v.Setting, p.Path, p.Reason)
		}
		if v.Err != nil {
			fmt.Fprintf(out, "%v\n", v.Err)
			refused = true
		}
	}
	if refused && c.Trust().User == 0 && os.Geteuid() == 0 {
		fmt.Fprintln(out, "If the daemon does not run as root, name its user with --user.")
	}
	if refused {
		fmt.Fprintln(out)
	}
	return refused
}

// trustUser makes a user's files as good as one's own.
func trustUser(name string) ([]config.Option, error) {
	if name == "" {
		return nil, nil
	}
	uid, err := config.SystemAccounts().User(name)
	if err != nil {
		return nil, fmt.Errorf("--user %s: %w", name, err)
	}
	return []config.Option{config.WithUser(uid)}, nil
}
