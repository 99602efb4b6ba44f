package policytest

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/assertd/assertd/signer/policy"
)

// Caller is a process as people describe it. Users and groups are names or
// numbers. What is left out is what the daemon could not find out.
type Caller struct {
	User             string // required: every process has one
	Groups           []string
	Executable       string
	ExecutableSHA256 string
	Unit             string
	Container        string
	Listener         string // empty: the only socket that is bound to no client
}

// noID is the number that no user and no group has, chown(2).
const noID = ^uint32(0)

// ErrCaller marks a description of a caller that no process could have.
var ErrCaller = errors.New("no process is such a caller")

// Caller turns a description into what the kernel would report.
func (s *Simulator) Caller(c Caller) (policy.Caller, error) {
	made := policy.Caller{
		GID: noID, Executable: c.Executable, ExecutableSHA256: c.ExecutableSHA256,
		Unit: c.Unit, Container: c.Container,
	}
	var err error
	if made.UID, err = id("user", c.User, s.accounts.User); err != nil {
		return policy.Caller{}, err
	}
	for i, group := range c.Groups {
		gid, err := id("group", group, s.accounts.Group)
		if err != nil {
			return policy.Caller{}, err
		}
		if i == 0 {
			made.GID = gid
			continue
		}
		made.Groups = append(made.Groups, gid)
	}
	made.Listener, made.Client, err = s.listener(c.Listener)
	return made, err
}

func id(what, name string, resolve func(string) (uint32, error)) (uint32, error) {
	if name == "" {
		return 0, fmt.Errorf("%w: it has no %s; every process has one", ErrCaller, what)
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil && uint32(n) != noID {
		return uint32(n), nil
	}
	n, err := resolve(name)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %q: %w", ErrCaller, what, name, err)
	}
	return n, nil
}

// listener finds the socket of the configuration by which a caller comes, and
// the client that it is bound to.
func (s *Simulator) listener(path string) (socket, client string, err error) {
	var shared []string
	for _, l := range s.config.Listen {
		if l.Socket == path {
			return l.Socket, l.Client, nil
		}
		if l.Client == "" {
			shared = append(shared, l.Socket)
		}
	}
	switch {
	case path != "":
		return "", "", fmt.Errorf("%w: the configuration has no listener %s", ErrCaller, path)
	case len(shared) == 1:
		return shared[0], "", nil
	}
	return "", "", fmt.Errorf("%w: the configuration has %d listeners that are bound to no client; say by which one it comes", ErrCaller, len(shared))
}
