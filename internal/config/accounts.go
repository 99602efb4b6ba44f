package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// ErrUnknownAccount means that no user or group has a name.
var ErrUnknownAccount = errors.New("no such account")

// Accounts looks up the IDs of users and groups.
type Accounts interface {
	// User returns the uid of a user, or ErrUnknownAccount.
	User(name string) (uint32, error)
	// Group returns the gid of a group, or ErrUnknownAccount.
	Group(name string) (uint32, error)
}

// SystemAccounts looks up the users and groups of this machine.
func SystemAccounts() Accounts { return systemAccounts{} }

type systemAccounts struct{}

func (systemAccounts) User(name string) (uint32, error) {
	u, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return 0, ErrUnknownAccount
	}
	if err != nil {
		return 0, err
	}
	return parseID(u.Uid)
}

func (systemAccounts) Group(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if errors.As(err, new(user.UnknownGroupError)) {
		return 0, ErrUnknownAccount
	}
	if err != nil {
		return 0, err
	}
	return parseID(g.Gid)
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("account ID %q is not a number: %w", s, err)
	}
	return uint32(n), nil
}

// StandIns looks up the users and groups of this machine, and gives every other
// name an ID that no account has, always the same one. It lets people test a
// policy on a machine that doesn't have its users. It is not safe for
// concurrent use.
func StandIns() Accounts {
	return &standIns{known: systemAccounts{}, users: make(map[string]uint32), groups: make(map[string]uint32)}
}

type standIns struct {
	known         Accounts
	users, groups map[string]uint32
}

// firstStandIn is above the ranges that systems and containers assign.
const firstStandIn = 4_100_000_000

func (s *standIns) User(name string) (uint32, error)  { return s.lookup(name, s.known.User, s.users) }
func (s *standIns) Group(name string) (uint32, error) { return s.lookup(name, s.known.Group, s.groups) }

func (s *standIns) lookup(name string, known func(string) (uint32, error), assigned map[string]uint32) (uint32, error) {
	n, err := known(name)
	if !errors.Is(err, ErrUnknownAccount) {
		return n, err
	}
	if _, ok := assigned[name]; !ok {
		assigned[name] = firstStandIn + uint32(len(assigned))
	}
	return assigned[name], nil
}

// accountCache looks up each name once, since a directory service may answer.
type accountCache struct {
	accounts      Accounts
	users, groups map[string]lookedUp
}

type lookedUp struct {
	number uint32
	err    error
}

func newAccountCache(a Accounts) *accountCache {
	return &accountCache{accounts: a, users: make(map[string]lookedUp), groups: make(map[string]lookedUp)}
}

func (c *accountCache) User(name string) (uint32, error) {
	return cached(c.users, name, c.accounts.User)
}

func (c *accountCache) Group(name string) (uint32, error) {
	return cached(c.groups, name, c.accounts.Group)
}

func cached(results map[string]lookedUp, name string, lookup func(string) (uint32, error)) (uint32, error) {
	found, ok := results[name]
	if !ok {
		found.number, found.err = lookup(name)
		results[name] = found
	}
	return found.number, found.err
}
