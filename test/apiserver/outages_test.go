package apiserver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// rotation makes the next version while tokens are requested, and goes on until
// it has signed for a while.
func (s *site) rotation(t *testing.T) string {
	var err error
	s.former, err = s.signed(t.Context())
	check(t, err)
	l := s.startLoad(t.Context())
	defer l.end()
	_, err = s.assertd("key", "generate", "--config", s.config(), "cluster")
	check(t, err)
	s.reload(t)
	eventually(t, "the next version signs", func() bool { return l.kids() == 2 })
	time.Sleep(2 * refresh) // the load goes on
	l.end()
	total := 0
	for kid, n := range l.tokens {
		total += n
		if err := s.accepts(t.Context(), l.first[kid]); err != nil {
			t.Errorf("afterwards, a token of %s: %v", kid, err)
		}
	}
	for i, err := range l.failures[:min(len(l.failures), 3)] {
		t.Errorf("failure %d: %v", i, err)
	}
	if len(l.failures) > 0 || total == 0 {
		t.Fatalf("%d of %d requests failed", len(l.failures), total+len(l.failures))
	}
	return fmt.Sprintf("ok: %d tokens of 2 versions signed and accepted, 0 failures", total)
}

// withoutHSM takes the HSM away: tokens that pods have are still accepted, new
// ones come when the HSM is back.
func (s *site) withoutHSM(t *testing.T) string {
	had, err := s.signed(t.Context())
	check(t, err)
	s.token.Lose()
	sentence := s.awaitRefusal(t)
	check(t, s.accepts(t.Context(), had.text))
	s.token.Restore()
	back := s.awaitToken(t)
	return fmt.Sprintf("ok: %s Tokens from before accepted; signed again %s after the HSM was back", sentence, back)
}

// awaitRefusal asks for tokens until one is refused, and returns what the user
// reads.
func (s *site) awaitRefusal(t *testing.T) (sentence string) {
	t.Helper()
	eventually(t, "no token without the HSM", func() bool {
		_, err := s.signed(t.Context())
		if err == nil {
			return false
		}
		status, text := answerOf(err)
		if _, sentence, _ = strings.Cut(text, "desc = "); status != 500 || sentence == "" {
			t.Fatalf("got %d: %v", status, err)
		}
		return true
	})
	return sentence
}

// awaitToken asks for tokens until there is one, and returns how long that
// took.
func (s *site) awaitToken(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	eventually(t, "a token", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := s.signed(ctx)
		return err == nil
	})
	return time.Since(began).Round(100 * time.Millisecond)
}

// startWithoutHSM restarts kube-apiserver while the HSM is away: assertd has
// the keys in memory.
func (s *site) startWithoutHSM(t *testing.T) string {
	had, err := s.signed(t.Context())
	check(t, err)
	s.token.Lose()
	s.awaitRefusal(t)
	s.apiserver.stop(t)
	s.startAPIServer(t, s.signerFlags())
	check(t, s.accepts(t.Context(), had.text))
	s.token.Restore()
	s.awaitToken(t)
	return "ok: starts with the keys in assertd's memory; signs when the HSM is back"
}

// restartDaemon restarts assertd under the load of a cluster.
func (s *site) restartDaemon(t *testing.T) string {
	had, err := s.signed(t.Context())
	check(t, err)
	s.daemon.stop(t)
	check(t, s.accepts(t.Context(), had.text))
	if _, err := s.signed(t.Context()); err == nil {
		t.Error("a token was signed without assertd")
	}
	s.startDaemon(t)
	took := s.awaitToken(t)
	check(t, s.accepts(t.Context(), had.text))
	return fmt.Sprintf("ok: tokens from before accepted meanwhile; signed again %s after assertd listened", took)
}

// revoke revokes the version before the last, which doesn't sign anymore. Its
// tokens are refused when kube-apiserver has fetched the keys.
func (s *site) revoke(t *testing.T) string {
	check(t, s.accepts(t.Context(), s.former.text))
	s.revoked = s.former.header.Kid
	s.configure(t)
	s.reload(t)
	began := time.Now()
	eventually(t, "tokens of the revoked version are refused", func() bool {
		status, err := s.review(t.Context(), s.former.text)
		return err == nil && !status.Authenticated
	})
	took := time.Since(began).Round(time.Second)
	_, err := s.signed(t.Context())
	check(t, err)
	return fmt.Sprintf("ok: its tokens are refused after %s (refresh: %s), and others accepted", took, refresh)
}
