package config

import (
	"errors"
	"maps"
)

// errHidden is for a name that a confined process does not find: it can't tell
// whether the account exists.
var errHidden = errors.New("the running daemon does not find it, but its sandbox can hide accounts that are not in /etc/passwd or /etc/group; " +
	"if the account exists, restart the daemon")

// RememberedAccounts looks up users and groups, and remembers those that it
// found. Once confined, it falls back on these: the sandbox can hide the name
// service that knew them. It is not safe for concurrent use.
type RememberedAccounts struct {
	source        Accounts
	users, groups map[string]uint32
	confined      bool
}

// RememberAccounts returns accounts from source.
func RememberAccounts(source Accounts) *RememberedAccounts {
	return &RememberedAccounts{source: source, users: make(map[string]uint32), groups: make(map[string]uint32)}
}

// Confined returns the accounts for a process that has become confined.
func (r *RememberedAccounts) Confined() *RememberedAccounts {
	return &RememberedAccounts{source: r.source, users: maps.Clone(r.users), groups: maps.Clone(r.groups), confined: true}
}

// User implements Accounts.
func (r *RememberedAccounts) User(name string) (uint32, error) {
	return r.lookup(name, r.source.User, r.users)
}

// Group implements Accounts.
func (r *RememberedAccounts) Group(name string) (uint32, error) {
	return r.lookup(name, r.source.Group, r.groups)
}

func (r *RememberedAccounts) lookup(name string, source func(string) (uint32, error), known map[string]uint32) (uint32, error) {
	id, err := source(name)
	if err == nil {
		known[name] = id
		return id, nil
	}
	if !r.confined {
		return 0, err
	}
	if id, ok := known[name]; ok {
		return id, nil
	}
	if errors.Is(err, ErrUnknownAccount) {
		return 0, errHidden
	}
	return 0, err
}
