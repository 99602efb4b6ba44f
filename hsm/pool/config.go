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
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/trustpath"
)

// Defaults of a Config.
const (
	DefaultWorkers      = 2
	DefaultTimeout      = 2 * time.Second
	DefaultStartTimeout = 30 * time.Second
	DefaultQueue        = 1024
	DefaultLockedPause  = time.Minute

	maxWorkers = 64
)

// TokenConfig is one token and how its workers reach it.
type TokenConfig struct {
	// Name identifies the token in status, events and inventory. It is unique in
	// the pool.
	Name string
	// HSM selects the module and the token.
	HSM hsm.Config
	// PIN is where each worker reads the PIN itself, so that the pool's process
	// never holds it. The exception is a PIN that a person typed: the caller reads
	// it once and passes it as Value, which goes to each worker in its first
	// frame. Prompt is refused: a worker has no terminal, and nobody sits at one
	// when it restarts.
	PIN hsm.PINSource
	// ReadInNewProcess is for a module that shows a process no keys that others
	// generate after its login, such as nShield's by default. Each Refresh starts
	// a process that reads the token, and replaces the workers that see other
	// keys. The quirks of some modules turn it on by themselves.
	ReadInNewProcess bool
	// Environment is the workers' whole environment, such as SOFTHSM2_CONF; a PIN
	// from a systemd credential adds CREDENTIALS_DIRECTORY.
	Environment map[string]string
}

// Config is a pool's settings. Zero values mean the defaults above.
type Config struct {
	// Command is the argument vector that starts a worker, a program that calls
	// worker.Serve, such as {"/proc/self/exe", "hsm-worker"}.
	Command []string
	// Tokens are the tokens to open. The same key pair may be on several; any of
	// them signs then.
	Tokens []TokenConfig
	// Workers is the number of processes per token, 64 at most.
	Workers int
	// Depth is how many requests one worker has at a time; 0 means as many as it
	// has sessions. Others wait in the pool's queue. With more, a request's time
	// runs while it waits in the worker, and a slow module looks like a hung one.
	Depth int
	// Timeout is how long a worker may take over a signature, from the moment it
	// is sent the request. A worker that takes longer is killed and its signatures
	// are sent to another one. Before that a signature may be queued for as long.
	Timeout time.Duration
	// StartTimeout is how long a worker may take to open its token and read the
	// inventory.
	StartTimeout time.Duration
	// LockedPause is how long the pool leaves a token in peace that is locked, or
	// that the next wrong PIN would lock. The pause doubles each time, up to 16
	// times this. A token that is still so is asked no PIN.
	LockedPause time.Duration
	// Queue is how many signatures may wait, for each group of keys on the same
	// tokens.
	Queue int
	// Probe is the longest that a worker goes without a verified signature before
	// the pool asks it for one. 0 means no probes, not even at start.
	Probe time.Duration
	// Stderr is the workers' standard error, nil for none. Modules may write
	// anything to it.
	Stderr *os.File
	// Logger is for operators; nil discards.
	Logger logging.Logger
	// Observer measures; nil discards.
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

// withDefaults fills in defaults and checks the result.
func (c Config) withDefaults() (Config, error) {
	c.Workers = cmp.Or(c.Workers, DefaultWorkers)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.StartTimeout = cmp.Or(c.StartTimeout, DefaultStartTimeout)
	c.Queue = cmp.Or(c.Queue, DefaultQueue)
	c.LockedPause = cmp.Or(c.LockedPause, DefaultLockedPause)
	if c.Logger == nil {
		c.Logger = logging.Discard
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
		return errors.New("hsm/pool: no command for workers")
	case len(c.Tokens) == 0:
		return errors.New("hsm/pool: no token; configure at least one")
	case len(c.Tokens) > maxTokens:
		return fmt.Errorf("hsm/pool: %d tokens; the limit is %d", len(c.Tokens), maxTokens)
	case c.Workers < 0 || c.Workers > maxWorkers:
		return fmt.Errorf("hsm/pool: %d workers per token; use 1 to %d", c.Workers, maxWorkers)
	case c.Depth < 0 || c.Depth > wire.MaxDepth:
		return fmt.Errorf("hsm/pool: depth %d; use 1 to %d, or 0 for the number of sessions", c.Depth, wire.MaxDepth)
	case c.Timeout < 0 || c.StartTimeout < 0 || c.Probe < 0 || c.LockedPause < 0 || c.Queue < 0:
		return errors.New("hsm/pool: a timeout, an interval or the queue is negative")
	}
	names := map[string]bool{}
	for _, t := range c.Tokens {
		if err := t.check(); err != nil {
			return err
		}
		if names[t.Name] {
			return fmt.Errorf("hsm/pool: two tokens are named %q; rename one", t.Name)
		}
		names[t.Name] = true
	}
	return nil
}

func (t TokenConfig) check() error {
	if t.Name == "" {
		return errors.New("hsm/pool: a token has no name")
	}
	if t.HSM.Sessions < 0 || t.HSM.Sessions > wire.MaxDepth {
		return fmt.Errorf("hsm/pool: token %q: %d sessions; use 1 to %d", t.Name, t.HSM.Sessions, wire.MaxDepth)
	}
	if err := checkPIN(t.PIN); err != nil {
		return fmt.Errorf("hsm/pool: token %q: %w", t.Name, err)
	}
	for name, value := range t.Environment {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return fmt.Errorf("hsm/pool: token %q: %q isn't a valid environment variable", t.Name, name)
		}
	}
	return nil
}

// checkEnvironment judges the files that the environment names. The loader uses
// its own, and the command for the PIN runs, before the worker has given
// anything up, so their rules are those of the PIN.
func (t TokenConfig) checkEnvironment() error {
	return errors.Join(t.HSM.Trust.CheckAll(trustpath.OfEnvironment(t.Environment)), t.PIN.Trust.CheckAll(trustpath.OfLoader(t.Environment)))
}

func checkPIN(source hsm.PINSource) error {
	if err := source.Validate(); err != nil {
		return err
	}
	if source.Prompt {
		return fmt.Errorf("%w: a worker can't prompt for it; read it first and pass it as a value", hsm.ErrPINSource)
	}
	return nil
}

// padTimeout is how long a person has to enter the PIN on the token's pad.
const padTimeout = 2 * time.Minute

// startTimeout bounds the start of the token's workers.
func (c Config) startTimeout(t TokenConfig) time.Duration {
	if t.PIN.Pad {
		return max(c.StartTimeout, padTimeout)
	}
	return c.StartTimeout
}

// depth is how many requests a worker of the token has at a time.
func (c Config) depth(t TokenConfig) int {
	return cmp.Or(c.Depth, cmp.Or(t.HSM.Sessions, hsm.DefaultSessions))
}

// environment is a worker's whole environment. Of the daemon's own it uses only
// one variable; lookup is os.LookupEnv.
func (t TokenConfig) environment(lookup func(string) (string, bool)) []string {
	env := make([]string, 0, len(t.Environment)+1)
	for name, value := range t.Environment {
		env = append(env, name+"="+value)
	}
	const credentials = "CREDENTIALS_DIRECTORY"
	if _, given := t.Environment[credentials]; t.PIN.Credential+t.PIN.File != "" && !given { // a file may be there too
		if dir, ok := lookup(credentials); ok {
			env = append(env, credentials+"="+dir)
		}
	}
	slices.Sort(env)
	return env
}
