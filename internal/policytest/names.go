package policytest

import (
	"errors"
	"fmt"
	"maps"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// namedAccounts remembers which names accounts were looked up by: stand-ins
// have no other.
type namedAccounts struct {
	config.Accounts
	users, groups map[uint32]string
}

func nameAccounts(a config.Accounts) *namedAccounts {
	return &namedAccounts{Accounts: a, users: make(map[uint32]string), groups: make(map[uint32]string)}
}

// User implements config.Accounts.
func (a *namedAccounts) User(name string) (uint32, error) {
	return remember(a.users, name, a.Accounts.User)
}

// Group implements config.Accounts.
func (a *namedAccounts) Group(name string) (uint32, error) {
	return remember(a.groups, name, a.Accounts.Group)
}

func remember(names map[uint32]string, name string, lookup func(string) (uint32, error)) (uint32, error) {
	id, err := lookup(name)
	if err == nil {
		names[id] = name
	}
	return id, err
}

// CheckUser refuses a user's name that neither the configuration nor this
// machine has: a mistyped one would only match no client. Call it before the
// name is used.
func (s *Simulator) CheckUser(name string) error {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return nil
	}
	configured := slices.Collect(maps.Values(s.accounts.users))
	if slices.Contains(configured, name) {
		return nil
	}
	if _, err := user.Lookup(name); !errors.As(err, new(user.UnknownUserError)) {
		return err
	}
	remedy := "give its uid, or its groups with --group"
	if meant := spelling.Nearest(name, configured); meant != "" {
		remedy = fmt.Sprintf("did you mean %s? If not, %s", meant, remedy)
	}
	return fmt.Errorf("neither the configuration nor this machine has a user %q; %s", name, remedy)
}

// user is a uid with its name, if it has one.
func (a *namedAccounts) user(id uint32) string {
	if _, ok := a.users[id]; !ok {
		a.users[id] = ""
		if u, err := user.LookupId(strconv.FormatUint(uint64(id), 10)); err == nil {
			a.users[id] = u.Username
		}
	}
	return withName(id, a.users[id])
}

// group is a gid with its name, if it has one.
func (a *namedAccounts) group(id uint32) string {
	if _, ok := a.groups[id]; !ok {
		a.groups[id] = ""
		if g, err := user.LookupGroupId(strconv.FormatUint(uint64(id), 10)); err == nil {
			a.groups[id] = g.Name
		}
	}
	return withName(id, a.groups[id])
}

func withName(id uint32, name string) string {
	if name == "" {
		return strconv.FormatUint(uint64(id), 10)
	}
	return fmt.Sprintf("%d (%s)", id, name)
}

// Names adds names to the numbers of users and groups in a trace, for people.
func (s *Simulator) Names(clients []policy.ClientTrace) {
	for _, c := range clients {
		for i, check := range c.Selectors {
			switch check.Name {
			case "uid":
				c.Selectors[i].Want, c.Selectors[i].Have = naming(check.Want, s.accounts.user), naming(check.Have, s.accounts.user)
			case "gid":
				c.Selectors[i].Want, c.Selectors[i].Have = naming(check.Want, s.accounts.group), naming(check.Have, s.accounts.group)
			}
		}
	}
}

var number = regexp.MustCompile(`\b[0-9]+\b`)

func naming(text string, name func(uint32) string) string {
	return number.ReplaceAllStringFunc(text, func(digits string) string {
		id, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return digits
		}
		return name(uint32(id))
	})
}

// Describe is a line about a simulated process.
func (s *Simulator) Describe(c caller.Caller) string {
	said := []string{"uid " + s.accounts.user(c.UID)}
	if name := s.accounts.users[c.UID]; name != "" {
		said[0] = fmt.Sprintf("user %s (uid %d)", name, c.UID)
	}
	if c.GID != noID {
		groups := s.accounts.group(c.GID)
		for _, gid := range c.Groups {
			groups += " " + s.accounts.group(gid)
		}
		said = append(said, "groups "+groups)
	}
	for _, attribute := range []struct{ name, value string }{
		{"executable", c.Executable}, {"SHA-256", c.ExecutableSHA256}, {"unit", c.Unit},
		{"container", c.Container}, {"socket", c.Listener},
	} {
		if attribute.value != "" {
			said = append(said, attribute.name+" "+attribute.value)
		}
	}
	return strings.Join(said, ", ")
}
