package policytest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/ipc/caller"
)

// Process describes the process of a caller in the words of people. Whatever is
// missing, the daemon could not find out about it.
type Process struct {
	User             string   `json:"user,omitzero" doc:"Name of the user, who need not exist on this machine."`
	UID              *uint32  `json:"uid,omitempty" doc:"Number of the user. Set user or uid."`
	Group            string   `json:"group,omitzero" doc:"Name of the primary group."`
	GID              *uint32  `json:"gid,omitempty" doc:"Number of the primary group."`
	Groups           []string `json:"groups,omitzero" doc:"Names of supplementary groups, or numbers in quotes."`
	Executable       string   `json:"executable,omitzero" format:"path" doc:"Absolute path of the executable."`
	ExecutableSHA256 string   `json:"executable_sha256,omitzero" format:"sha256" doc:"SHA-256 of the executable."`
	Unit             string   `json:"unit,omitzero" doc:"systemd unit."`
	Container        string   `json:"container,omitzero" format:"sha256" doc:"Container ID."`
	Listener         string   `json:"listener,omitzero" format:"path" doc:"Path of the socket. Default: the only socket that isn't bound to a client, for a service account's token the only one for kube-apiserver."`
}

// noID is the number that no user and no group has, chown(2).
const noID = ^uint32(0)

// ErrProcess means that a description fits no process.
var ErrProcess = errors.New("no such process can exist")

// Caller resolves a process to what the kernel would report. Users and
// groups can be names or numbers. Without a primary group, the first
// supplementary one is used.
func (s *Simulator) Caller(p Process) (caller.Caller, error) { return s.caller(p, s.listener) }

// KubernetesCaller is Caller for a process that asks for tokens of service
// accounts.
func (s *Simulator) KubernetesCaller(p Process) (caller.Caller, error) {
	return s.caller(p, s.kubernetesListener)
}

func (s *Simulator) caller(p Process, listener func(string) (socket, client string, err error)) (caller.Caller, error) {
	resolved := caller.Caller{
		GID: noID, Executable: p.Executable, ExecutableSHA256: p.ExecutableSHA256,
		Unit: p.Unit, Container: p.Container,
	}
	var err error
	if resolved.UID, err = resolveID("user", nameOrNumber(p.User, p.UID), s.accounts.User); err != nil {
		return caller.Caller{}, err
	}
	for i, group := range p.groups() {
		gid, err := resolveID("group", group, s.accounts.Group)
		if err != nil {
			return caller.Caller{}, err
		}
		if i == 0 {
			resolved.GID = gid
			continue
		}
		resolved.Groups = append(resolved.Groups, gid)
	}
	resolved.Listener, resolved.Client, err = listener(p.Listener)
	return resolved, err
}

// groups returns all groups, the primary one first.
func (p Process) groups() []string {
	if primary := nameOrNumber(p.Group, p.GID); primary != "" {
		return append([]string{primary}, p.Groups...)
	}
	return p.Groups
}

func nameOrNumber(name string, number *uint32) string {
	if number != nil {
		return strconv.FormatUint(uint64(*number), 10)
	}
	return name
}

func resolveID(what, name string, resolve func(string) (uint32, error)) (uint32, error) {
	if name == "" {
		return 0, fmt.Errorf("%w: it has no %s; every process has one", ErrProcess, what)
	}
	if n, err := strconv.ParseUint(name, 10, 32); err == nil && uint32(n) != noID {
		return uint32(n), nil
	}
	n, err := resolve(name)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %q: %w", ErrProcess, what, name, err)
	}
	return n, nil
}

// listener finds the socket that a caller uses, and the client it is bound to.
func (s *Simulator) listener(path string) (socket, client string, err error) {
	shared := slices.DeleteFunc(slices.Clone(s.config.Listen), func(l config.Listener) bool { return l.Kubernetes != nil || l.Client != "" })
	l, err := s.choose(path, shared, "that aren't bound to a client")
	if err == nil && l.Kubernetes != nil {
		err = fmt.Errorf("%w: listener %s answers only kube-apiserver; ask there for the token of a service account", ErrProcess, path)
	}
	return l.Socket, l.Client, err
}

// kubernetesListener is listener among the sockets for kube-apiservers.
func (s *Simulator) kubernetesListener(path string) (socket, client string, err error) {
	others := slices.DeleteFunc(slices.Clone(s.config.Listen), func(l config.Listener) bool { return l.Kubernetes == nil })
	l, err := s.choose(path, others, "for kube-apiserver")
	if err == nil && l.Kubernetes == nil {
		err = fmt.Errorf("%w: listener %s signs no tokens of service accounts; name one with kubernetes", ErrProcess, path)
	}
	return l.Socket, l.Client, err
}

// choose finds a listener by its path. Without one, it is the only one of its
// kind.
func (s *Simulator) choose(path string, kind []config.Listener, kindName string) (config.Listener, error) {
	for _, l := range s.config.Listen {
		if l.Socket == path {
			return l, nil
		}
	}
	switch {
	case path != "":
		return config.Listener{}, fmt.Errorf("%w: the configuration has no listener %s", ErrProcess, path)
	case len(kind) == 1:
		return kind[0], nil
	}
	return config.Listener{}, fmt.Errorf("%w: the configuration has %d listeners %s; name the listener it uses", ErrProcess, len(kind), kindName)
}
