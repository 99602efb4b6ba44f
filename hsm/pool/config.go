package pool

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// What a Config means where it says nothing.
const (
	DefaultWorkers      = 2
	DefaultTimeout      = 2 * time.Second
	DefaultStartTimeout = 30 * time.Second
	DefaultQueue        = 1024

	maxWorkers = 64
)

// TokenConfig is one token and how its workers get at it.
type TokenConfig struct {
	// Name is what status, events and inventory call the token. It is unique in the pool.
	Name string
	// HSM says which token of which module.
	HSM hsm.Config
	// PIN is where each worker reads the PIN by itself: the pool's process never holds it. The one exception is a PIN that a person typed. It
	// is read once by whoever makes the pool and given as Value, which goes to each worker in its first frame, over the socket. Prompt is
	// refused here, because a worker has no terminal and nobody sits there when it is restarted.
	PIN hsm.PINSource
	// Environment is all that the workers have in theirs, such as SOFTHSM2_CONF; a PIN from a systemd credential adds CREDENTIALS_DIRECTORY.
	Environment map[string]string
}

// Config is a pool's settings. Zero values mean the defaults above.
type Config struct {
	// Command is the argument vector that starts a worker, a program that calls Serve, such as {"/proc/self/exe", "hsm-worker"}.
	Command []string
	// Tokens are the tokens to open. The same key pair may be on several: any of them signs then.
	Tokens []TokenConfig
	// Workers is the number of processes per token, 64 at most.
	Workers int
	// Depth is how many requests one worker holds at a time, those that its sessions work on included; 0 means twice its sessions. What is more
	// waits in the pool's queue.
	Depth int
	// Timeout is how long a worker may take over a signature, from the moment it has the request. A worker that takes longer is killed and
	// its signatures are sent to another. A signature may wait as long in the queue before that.
	Timeout time.Duration
	// StartTimeout is how long a worker may take to open its token and read the inventory.
	StartTimeout time.Duration
	// Queue is how many signatures may wait, for each group of keys that live on the same tokens.
	Queue int
	// Probe is the longest time that a worker goes without a signature that was verified: the pool then asks for one of its own. 0 means
	// never, also not at start.
	Probe time.Duration
	// Stderr is the workers' standard error, nil for none. Modules write what they like there.
	Stderr *os.File
	// Logger gets what operators want to know; nil means nobody.
	Logger Logger
	// Observer measures; nil means nobody.
	Observer Observer
}

// Observer measures what the pool does; *metrics.Metrics is one. The pool calls
// it from its own goroutines: it must not wait, nor call the pool.
type Observer interface {
	// Signed gets where the time of a signature went, or why none was made. It
	// isn't called if the caller gave up.
	Signed(set string, t Timing, err error)
	// WorkerEvent gets what happened to a worker.
	WorkerEvent(e Event)
}

type noObserver struct{}

func (noObserver) Signed(string, Timing, error) {}
func (noObserver) WorkerEvent(Event)            {}

// Logger is the part of a leveled logger that the pool uses. The arguments are pairs of a name and a value.
type Logger interface {
	Debug(msg string, args ...any)
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// withDefaults gives the settings that hold, or what is wrong with those that were given.
func (c Config) withDefaults() (Config, error) {
	c.Workers = cmp.Or(c.Workers, DefaultWorkers)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.StartTimeout = cmp.Or(c.StartTimeout, DefaultStartTimeout)
	c.Queue = cmp.Or(c.Queue, DefaultQueue)
	if c.Logger == nil {
		c.Logger = silent{}
	}
	if c.Observer == nil {
		c.Observer = noObserver{}
	}
	c.Tokens = slices.Clone(c.Tokens)
	return c, c.check()
}

func (c Config) check() error {
	switch {
	case len(c.Command) == 0:
		return errors.New("hsm/pool: no command to start a worker with")
	case len(c.Tokens) == 0:
		return errors.New("hsm/pool: no token; name at least one")
	case len(c.Tokens) > maxTokens:
		return fmt.Errorf("hsm/pool: %d tokens; %d is the limit", len(c.Tokens), maxTokens)
	case c.Workers < 0 || c.Workers > maxWorkers:
		return fmt.Errorf("hsm/pool: %d workers per token; use 1 to %d", c.Workers, maxWorkers)
	case c.Depth < 0 || c.Depth > wire.MaxDepth:
		return fmt.Errorf("hsm/pool: depth %d; use 1 to %d, or 0 for twice the sessions", c.Depth, wire.MaxDepth)
	case c.Timeout < 0 || c.StartTimeout < 0 || c.Probe < 0 || c.Queue < 0:
		return errors.New("hsm/pool: a negative timeout, probe interval or queue")
	}
	names := map[string]bool{}
	for _, t := range c.Tokens {
		if err := t.check(); err != nil {
			return err
		}
		if names[t.Name] {
			return fmt.Errorf("hsm/pool: two tokens are named %q; give each a name of its own", t.Name)
		}
		names[t.Name] = true
	}
	return nil
}

func (t TokenConfig) check() error {
	if t.Name == "" {
		return errors.New("hsm/pool: a token without a name")
	}
	if t.HSM.Sessions < 0 || t.HSM.Sessions > wire.MaxDepth {
		return fmt.Errorf("hsm/pool: token %q: %d sessions; use 1 to %d", t.Name, t.HSM.Sessions, wire.MaxDepth)
	}
	if err := checkPIN(t.PIN); err != nil {
		return fmt.Errorf("hsm/pool: token %q: %w", t.Name, err)
	}
	for name, value := range t.Environment {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return fmt.Errorf("hsm/pool: token %q: %q can't be an environment variable", t.Name, name)
		}
	}
	return nil
}

func checkPIN(source hsm.PINSource) error {
	if err := source.Validate(); err != nil {
		return err
	}
	if source.Prompt {
		return fmt.Errorf("%w: a worker can't ask for it; read it first and pass it on as a value", hsm.ErrPINSource)
	}
	return nil
}

// depth is how many requests a worker of the token holds at a time.
func (c Config) depth(t TokenConfig) int {
	return cmp.Or(c.Depth, min(2*cmp.Or(t.HSM.Sessions, hsm.DefaultSessions), wire.MaxDepth))
}

// environment is a worker's whole environment. The daemon's own is looked at for one variable alone, lookup being os.LookupEnv.
func (t TokenConfig) environment(lookup func(string) (string, bool)) []string {
	env := make([]string, 0, len(t.Environment)+1)
	for name, value := range t.Environment {
		env = append(env, name+"="+value)
	}
	const credentials = "CREDENTIALS_DIRECTORY"
	if _, given := t.Environment[credentials]; t.PIN.Credential != "" && !given {
		if dir, ok := lookup(credentials); ok {
			env = append(env, credentials+"="+dir)
		}
	}
	slices.Sort(env)
	return env
}
