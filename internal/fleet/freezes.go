package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/ipc"
)

const (
	// lookEvery is how often a daemon looks whether something was frozen: so
	// late a freeze arrives at most, with what the server and the network take.
	lookEvery = 300 * time.Millisecond
	// readEvery is how often it reads everything, to notice what was deleted or
	// played back.
	readEvery = 15 * time.Second
	// repairSpread is the time over which the daemons spread out before they put
	// back what the server has lost: the first one does it for all.
	repairSpread = time.Second
	// answerWait bounds one exchange with the server.
	answerWait = 2 * time.Second
)

// Board is what keeps the freezes of a host.
type Board interface {
	// Words are the newest that it knows of each target.
	Words() []freeze.Word
	// Hear takes over those that are newer.
	Hear(ctx context.Context, words []freeze.Word)
	// Told notes that the fleet has them.
	Told(words []freeze.Word)
}

// Freezes carries freezes and thaws between the boards of a fleet.
type Freezes struct {
	store  *store.Store
	key    Key
	logger *logging.Throttle
	warn   func(msg string, args ...any)
	asks   chan chan error

	mu     sync.Mutex
	status ipc.FleetFreezes

	// These belong to Run's goroutine.
	revision string    // of the entries at the server when they were last read
	read     time.Time // when that was
	repairAt time.Time // when to put back what the server lacks; zero for not
}

// NewFreezes makes a Freezes. It starts nothing, see [Freezes.Run].
func NewFreezes(s *store.Store, key Key) *Freezes {
	return &Freezes{store: s, key: key, logger: logging.NewThrottle(s.Options.Now), warn: s.Logger.Warn, asks: make(chan chan error)}
}

// Status says whether freezes reach the fleet.
func (f *Freezes) Status() ipc.FleetFreezes {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// Tell implements [freeze.Fleet].
func (f *Freezes) Tell(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case f.asks <- reply:
	case <-ctx.Done():
		return errors.New("the fleet's server does not answer")
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return errors.New("the fleet's server does not answer")
	}
}

// Run exchanges words until ctx ends.
func (f *Freezes) Run(ctx context.Context, board Board) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		f.exchange(ctx, board, false)
		select {
		case <-ctx.Done():
			return nil
		case reply := <-f.asks:
			reply <- f.exchange(ctx, board, true)
		case <-ticker.C:
		}
	}
}

// exchange reads what others said and says what they lack. With news of this
// host it doesn't wait.
func (f *Freezes) exchange(ctx context.Context, board Board, news bool) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	forged, err := f.try(ctx, board, news)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.status.Error = err.Error()
		return err
	}
	f.status.Error, f.status.Exchanged = "", f.store.Options.Now()
	if forged >= 0 {
		f.status.Forged = forged
	}
	return nil
}

// try returns the number of forged entries, or -1 if nothing was read.
func (f *Freezes) try(ctx context.Context, board Board, news bool) (forged int, err error) {
	now := f.store.Options.Now()
	revision, err := f.store.Client().Get(ctx, f.revisionKey()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return -1, err
	}
	due := f.read.IsZero() || now.Sub(f.read) >= readEvery || now.Before(f.read) || !f.repairAt.IsZero()
	if !news && !due && revision == f.revision {
		return -1, nil
	}
	said, forged, err := f.listen(ctx)
	if err != nil {
		return -1, err
	}
	board.Hear(ctx, said.words())
	missing := said.lack(board.Words())
	f.revision, f.read = revision, now
	return forged, f.say(ctx, board, missing, said, news)
}

// say puts the missing words at the server: at once if they are news of this
// host, and else after a random time, unless another daemon has done it by
// then.
func (f *Freezes) say(ctx context.Context, board Board, missing []freeze.Word, said words, news bool) error {
	now := f.store.Options.Now()
	for _, w := range missing {
		news = news || w.Untold
	}
	switch {
	case len(missing) == 0:
		f.repairAt = time.Time{}
		board.Told(said.words())
		return nil
	case !news && f.repairAt.IsZero():
		f.repairAt = now.Add(rand.N(repairSpread))
		return nil
	case !news && now.Before(f.repairAt):
		return nil
	}
	fields := make([]any, 0, 2*len(missing))
	for _, w := range missing {
		w.Untold, w.Freeze.Reported, w.Freeze.Unknown = false, false, false
		entry, err := json.Marshal(w)
		if err != nil {
			return err
		}
		fields = append(fields, fieldOf(w), f.key.seal(f.freezesKey(), entry))
	}
	_, err := f.store.Client().TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, f.freezesKey(), fields...)
		// Random, so that nobody can guess a revision and hide a change with it.
		pipe.Set(ctx, f.revisionKey(), strconv.FormatUint(rand.Uint64(), 36), 0)
		return nil
	})
	if err == nil {
		f.repairAt = time.Time{}
		board.Told(missing)
	}
	return err
}

func (f *Freezes) freezesKey() string  { return f.store.Key("freezes") }
func (f *Freezes) revisionKey() string { return f.store.Key("freezes-revision") }

// fieldOf is the name of the entry on a word's target.
func fieldOf(w freeze.Word) string {
	return w.Freeze.Scope() + " " + w.Freeze.Name()
}

// words are what the server has, by field.
type words map[string]freeze.Word

func (w words) words() []freeze.Word {
	list := make([]freeze.Word, 0, len(w))
	for _, word := range w {
		list = append(list, word)
	}
	return list
}

// lack are the words that the server should have instead of its own.
func (w words) lack(known []freeze.Word) (missing []freeze.Word) {
	for _, word := range known {
		if said, ok := w[fieldOf(word)]; !ok || word.Newer(said) {
			missing = append(missing, word)
		}
	}
	return missing
}

// listen reads the words at the server.
func (f *Freezes) listen(ctx context.Context) (said words, forged int, err error) {
	entries, err := read(ctx, f.store, f.freezesKey())
	if err != nil {
		return nil, 0, err
	}
	said = make(words, len(entries))
	for field, text := range entries {
		w, err := f.decode(field, text)
		if err != nil {
			forged++
			continue
		}
		said[field] = w
	}
	if forged > 0 {
		f.logger.Log(f.warn, "forged", "the fleet's server has freezes that no daemon with this fleet key made; they are ignored", "entries", forged)
	}
	return said, forged, nil
}

// errMisplaced means that a genuine entry was copied to another name.
var errMisplaced = errors.New("in the wrong place")

func (f *Freezes) decode(field, text string) (w freeze.Word, err error) {
	if err := f.key.decode(f.freezesKey(), text, &w); err != nil {
		return w, err
	}
	if fieldOf(w) != field {
		return w, errMisplaced
	}
	return w, nil
}
