package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrNotRoot means that a worker can't get a user of its own.
var ErrNotRoot = errors.New("sandbox.user requires a daemon that starts as root with CAP_SETUID, CAP_SETGID and CAP_KILL; start it that way, or remove the setting")

// User is the user of the workers. Its text is UID:GID:GROUP,GROUP.
type User struct {
	UID, GID int
	Groups   []int // supplementary
}

// forUser are the capabilities with which a worker changes its user, and the
// front kills it if it hangs.
const forUser = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID | 1<<unix.CAP_KILL

// LookUpUser returns a user of this machine, by name or ID, with its groups.
// The error is ErrNotRoot if this process can't start others as that user.
func LookUpUser(name string) (*User, error) {
	held, _, err := capabilitiesHeld()
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 || held[0].Effective&forUser != forUser {
		return nil, ErrNotRoot
	}
	account, err := user.Lookup(name)
	if err != nil {
		if account, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("sandbox.user: %w; create the user, such as with useradd --system", err)
		}
	}
	groups, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("sandbox.user: the groups of %s: %w", name, err)
	}
	u := new(User)
	return u, u.Set(account.Uid + ":" + account.Gid + ":" + strings.Join(groups, ","))
}

// String implements pflag.Value.
func (u *User) String() string {
	if u.UID == 0 {
		return ""
	}
	groups := make([]string, 0, len(u.Groups))
	for _, group := range u.Groups {
		groups = append(groups, strconv.Itoa(group))
	}
	return fmt.Sprintf("%d:%d:%s", u.UID, u.GID, strings.Join(groups, ","))
}

// Set implements pflag.Value. It refuses root, whose group could write what
// root's processes trust.
func (u *User) Set(text string) error {
	ids := strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == ',' })
	numbers := make([]int, 0, len(ids))
	for _, id := range ids {
		number, err := strconv.ParseUint(id, 10, 31)
		if err != nil {
			return fmt.Errorf("sandbox.user: %q is not an ID", id)
		}
		numbers = append(numbers, int(number))
	}
	if len(numbers) < 2 || numbers[0] == 0 || numbers[1] == 0 {
		return errors.New("sandbox.user is root or has root's group; choose another user")
	}
	*u = User{UID: numbers[0], GID: numbers[1], Groups: numbers[2:]}
	return nil
}

// Type implements pflag.Value.
func (u *User) Type() string { return "user" }

// IDs are the user's ID, or none for the daemon's own.
func (u *User) IDs() []uint32 {
	if u.UID == 0 {
		return nil
	}
	return []uint32{uint32(u.UID)}
}

// become changes the user of all threads for good. Root's process loses its
// capabilities with it.
func (u *User) become() error {
	if u.UID == 0 {
		return nil
	}
	if err := errors.Join(syscall.Setgroups(u.Groups), syscall.Setgid(u.GID), syscall.Setuid(u.UID)); err != nil {
		return fmt.Errorf("sandbox.user: become user %d: %w", u.UID, err)
	}
	return nil
}
