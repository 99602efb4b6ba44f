package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/trustpath"
)

// checkPaths returns what the configuration accepts of the paths that it names,
// and every problem with one. Files of one setting may be in one directory:
// each is said once.
func checkPaths(c *config.Config) (accepted []string, problems []error) {
	said := make(map[string]bool)
	for _, v := range c.Judge(c.AllPaths()) {
		for _, p := range v.Accepted {
			accepted = append(accepted, fmt.Sprintf("%s: %s %s", v.Setting, p.Path, p.Reason))
		}
		if v.Err != nil && !said[v.Err.Error()] {
			said[v.Err.Error()] = true
			problems = append(problems, v.Err)
		}
	}
	accepted = slices.Compact(accepted)
	if problems != nil && c.Trust().User == 0 && os.Geteuid() == 0 {
		problems = append(problems, errors.New(nameUser))
	}
	return accepted, problems
}

// nameUser is advice for root.
const nameUser = "if the daemon does not run as root, name its user with --user"

// loadFor reads a configuration as the user would, or as this one if it is "".
func loadFor(path, user string) (*config.Config, error) {
	if user == "" {
		c, err := config.Load(path)
		if errors.Is(err, trustpath.ErrUntrusted) && os.Geteuid() == 0 {
			err = fmt.Errorf("%w; %s", err, nameUser)
		}
		return c, err
	}
	uid, err := config.SystemAccounts().User(user)
	if err != nil {
		return nil, fmt.Errorf("--user %s: %w; name a user of this machine", user, err)
	}
	return config.Load(path, config.WithUser(uid))
}
