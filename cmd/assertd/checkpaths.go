package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/trustpath"
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
		fmt.Fprintln(out, nameUser)
	}
	if refused {
		fmt.Fprintln(out)
	}
	return refused
}

// nameUser is advice for root.
const nameUser = "If the daemon does not run as root, name its user with --user."

// loadFor reads a configuration as the user would, or as this one if it is "".
func loadFor(path, user string) (*config.Config, error) {
	if user == "" {
		c, err := config.Load(path)
		if errors.Is(err, trustpath.ErrUntrusted) && os.Geteuid() == 0 {
			err = fmt.Errorf("%w\n%s", err, nameUser)
		}
		return c, err
	}
	uid, err := config.SystemAccounts().User(user)
	if err != nil {
		return nil, fmt.Errorf("--user %s: %w; name a user of this machine", user, err)
	}
	return config.Load(path, config.WithUser(uid))
}
