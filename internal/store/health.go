package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

// askEvery is how often the server is asked whether it is there, and who it is.
const askEvery = time.Second

// Run asks the server whether it is there, until ctx ends, and then closes the
// connections.
func (s *Store) Run(ctx context.Context) error {
	defer s.Close()
	throttle := logging.NewThrottle(s.Options.Now)
	for {
		if err := s.Ask(ctx); err != nil && ctx.Err() == nil {
			throttle.Log(s.Logger.Error, "store", "the fleet's server does not answer", "error", err)
		}
		if !sleep.For(ctx, askEvery) {
			return nil
		}
	}
}

// Ask asks the server once. The error says what an operator can do.
func (s *Store) Ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	answer, err := s.ask(ctx)
	if err != nil {
		err = explain(err)
	}
	if ctx.Err() == nil || err == nil || !errors.Is(context.Cause(ctx), context.Canceled) {
		s.note(answer, err)
	}
	return err
}

// answer is what the server says of itself.
type answer struct {
	replication string        // ID
	clock       time.Duration // the server's ahead of this host's
}

func (s *Store) ask(ctx context.Context) (answer, error) {
	server, err := s.owner(ctx)
	if err != nil {
		return answer{}, err
	}
	// The two commands go in one round trip, so half of it is the time that the
	// answer took.
	pipe, start := server.Pipeline(), s.Options.Now()
	clock, info := pipe.Time(ctx), pipe.Info(ctx, "replication")
	if _, err := pipe.Exec(ctx); err != nil {
		return answer{}, err
	}
	end := s.Options.Now()
	facts := parseInfo(info.Val())
	if facts["role"] != "master" {
		return answer{}, errReplica
	}
	return answer{facts["master_replid"], clock.Val().Sub(start.Add(end.Sub(start) / 2))}, nil
}

// errReplica means that nothing can be written.
var errReplica = errors.New("the server is a replica; name the primary, or use sentinel or cluster")

// owner is the server that has the keys: in a cluster, the primary of their
// shard.
func (s *Store) owner(ctx context.Context) (redis.Cmdable, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, s.Key(""))
	}
	return s.client, nil
}

// note takes over an answer, and logs what changed.
func (s *Store) note(a answer, err error) {
	s.mu.Lock()
	was := s.status
	now := s.Options.Now()
	if up := err == nil; up != was.Up {
		s.status.Up, s.status.Since = up, now
	}
	s.status.Error = ""
	if err != nil {
		s.status.Error = err.Error()
	} else {
		s.status.Answered, s.status.Replication, s.status.ClockSeconds = now, a.replication, a.clock.Seconds()
	}
	is := s.status
	s.mu.Unlock()
	s.logChange(was, is)
}

func (s *Store) logChange(was, is ipc.StoreStatus) {
	switch {
	case is.Up && !was.Up:
		s.Logger.Info("the fleet's server answers", "replication_id", is.Replication)
	case is.Up && was.Replication != is.Replication:
		s.Logger.Warn("the fleet's server has another replication ID: it restarted, or a replica took over", "was", was.Replication, "is", is.Replication)
	}
}

// parseInfo reads the lines of INFO.
func parseInfo(text string) map[string]string {
	facts := make(map[string]string)
	for line := range strings.SplitSeq(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			facts[name] = value
		}
	}
	return facts
}

// probe writes a key that ends at once, as a script, which takes what the
// daemon's commands take of the user's ACL.
var probe = redis.NewScript(`return redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1)`)

// Prove asks the server, and shows that scripts can write there.
func (s *Store) Prove(ctx context.Context) error {
	if err := s.Ask(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := probe.Run(ctx, s.client, []string{s.Key("check")}).Err(); err != nil {
		return explain(err)
	}
	return nil
}

// explain says what an operator can do about an error of the server.
func explain(err error) error {
	var network *net.OpError
	switch text := err.Error(); {
	case strings.HasPrefix(text, "WRONGPASS"), strings.HasPrefix(text, "NOAUTH"), strings.Contains(text, "AUTH failed"):
		return fmt.Errorf("%w; check budgets.shared.user and password", err)
	case strings.HasPrefix(text, "NOPERM"):
		return fmt.Errorf("%w; give the user what docs/fleet.md lists", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s; check the network and budgets.shared.addresses", dialTimeout)
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%w; check the server and budgets.shared.addresses", err)
	}
	return err
}
