package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// ErrUnknownAccount means that there is no user or group of a name.
var ErrUnknownAccount = errors.New("no such account")

// Accounts gives the numbers of user and group names.
type Accounts interface {
	// User returns the uid of a user name; ErrUnknownAccount if there is none.
	User(name string) (uint32, error)
	// Group returns the gid of a group name; ErrUnknownAccount if there is none.
	Group(name string) (uint32, error)
}

// SystemAccounts are the users and groups of this machine.
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
	return number(u.Uid)
}

func (systemAccounts) Group(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if errors.As(err, new(user.UnknownGroupError)) {
		return 0, ErrUnknownAccount
	}
	if err != nil {
		return 0, err
	}
	return number(g.Gid)
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("account ID %q is not a number: %w", s, err)
	}
	return uint32(n), nil
}

// StandIns are the users and groups of this machine, and for every other name
// a number that no account has: the same for the same name. With them a policy
// can be tried on a machine that lacks its users. They are not safe for
// concurrent use.
func StandIns() Accounts {
	return &standIns{known: systemAccounts{}, users: make(map[string]uint32), groups: make(map[string]uint32)}
}

type standIns struct {
	known         Accounts
	users, groups map[string]uint32
}

// firstStandIn lies above the ranges that systems and containers give out.
const firstStandIn = 4_100_000_000

func (s *standIns) User(name string) (uint32, error)  { return s.number(name, s.known.User, s.users) }
func (s *standIns) Group(name string) (uint32, error) { return s.number(name, s.known.Group, s.groups) }

func (s *standIns) number(name string, known func(string) (uint32, error), made map[string]uint32) (uint32, error) {
	n, err := known(name)
	if !errors.Is(err, ErrUnknownAccount) {
		return n, err
	}
	if _, ok := made[name]; !ok {
		made[name] = firstStandIn + uint32(len(made))
	}
	return made[name], nil
}

// accountCache asks for each name once: a directory service may be behind it.
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

func cached(known map[string]lookedUp, name string, look func(string) (uint32, error)) (uint32, error) {
	found, ok := known[name]
	if !ok {
		found.number, found.err = look(name)
		known[name] = found
	}
	return found.number, found.err
}
