package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

func tokenSource(t *testing.T, c *Client, s *server) *TokenSource {
	t.Helper()
	source, err := c.TokenSource(TokenRequest{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestTokenSourceCachesUntilNearExpiry(t *testing.T) {
	s := tokenServer(t, granting)
	c, _ := numbered(t, ipc.SendClientAssertion)
	now := time.Now()
	c.now = func() time.Time { return now }
	source := tokenSource(t, c, s)
	for _, step := range []struct {
		after time.Duration
		asked int
	}{{0, 1}, {time.Minute, 1}, {57 * time.Minute, 1}, {time.Minute, 2}, {time.Second, 2}} {
		now = now.Add(step.after)
		if _, err := source.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(s.forms) != step.asked {
			t.Errorf("after another %v: asked %d times, want %d", step.after, len(s.forms), step.asked)
		}
	}
	token, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source.Forget(token)
	if _, err := source.Token(t.Context()); err != nil || len(s.forms) != 3 {
		t.Errorf("after Forget: asked %d times, %v", len(s.forms), err)
	}
}

func TestTokenSourceSharesOneRequest(t *testing.T) {
	s := tokenServer(t, granting)
	c, _ := numbered(t, ipc.SendClientAssertion)
	source := tokenSource(t, c, s)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := source.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(s.forms) != 1 {
		t.Errorf("%d token requests for 16 callers at once", len(s.forms))
	}
}

func TestTokenWithoutExpiryIsNotCached(t *testing.T) {
	s := tokenServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer"})
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	source := tokenSource(t, c, s)
	for range 2 {
		if _, err := source.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.forms) != 2 {
		t.Errorf("asked %d times", len(s.forms))
	}
}

// Twenty callers against an endpoint that is down used to wait for each other,
// and each spent two assertions.
func TestTokenSourceSharesAFailure(t *testing.T) {
	s := tokenServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		time.Sleep(200 * time.Millisecond)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	c, daemon := numbered(t, ipc.SendClientAssertion)
	source := tokenSource(t, c, s)
	began := time.Now()
	now := began
	c.now = func() time.Time { return now } // so that no backoff ends
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			var failed *TokenError
			if _, err := source.Token(t.Context()); !errors.As(err, &failed) || failed.Status != http.StatusServiceUnavailable {
				t.Errorf("got %v", err)
			}
		})
	}
	all.Wait()
	if daemon.calls.Load() != 2 || len(s.forms) != 2 {
		t.Errorf("%d assertions for %d requests, want 2: one try and its retry", daemon.calls.Load(), len(s.forms))
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestTokenSourceBacksOffBetweenTries(t *testing.T) {
	var retryAfter atomic.Value
	retryAfter.Store("")
	s := tokenServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", retryAfter.Load().(string))
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_client"})
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	now := time.Now()
	c.now = func() time.Time { return now }
	source := tokenSource(t, c, s)
	for _, step := range []struct {
		after time.Duration // with up to 25% of jitter
		asked int
	}{{0, 1}, {0, 1}, {900 * time.Millisecond, 1}, {500 * time.Millisecond, 2}, {1900 * time.Millisecond, 2}, {700 * time.Millisecond, 3}, {3900 * time.Millisecond, 3}} {
		now = now.Add(step.after)
		if _, err := source.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_client") {
			t.Errorf("got %v", err)
		}
		if len(s.forms) != step.asked {
			t.Errorf("after another %v: asked %d times, want %d", step.after, len(s.forms), step.asked)
		}
	}
	retryAfter.Store("100")
	now = now.Add(time.Minute)
	for _, asked := range []int{4, 4, 5} {
		if _, err := source.Token(t.Context()); err == nil || len(s.forms) != asked {
			t.Errorf("asked %d times, want %d: %v", len(s.forms), asked, err)
		}
		now = now.Add(70 * time.Second)
	}
}

func TestTokenSourceUsesAGoodTokenWhenRenewalFails(t *testing.T) {
	s := tokenServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 || n == 4 {
			granting(n, w, r)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	now := time.Now()
	c.now = func() time.Time { return now }
	source := tokenSource(t, c, s)
	for _, step := range []struct {
		name  string
		after time.Duration
		asked int
		works bool
	}{
		{"the first token", 0, 1, true},
		{"its renewal fails", 59*time.Minute + time.Second, 2, true},
		{"no renewal yet", 100 * time.Millisecond, 2, true},
		{"it has expired", time.Minute, 3, false},
		{"the server is back", time.Minute, 4, true},
	} {
		now = now.Add(step.after)
		token, err := source.Token(t.Context())
		if (err == nil) != step.works || step.works != (token.AccessToken == "secret") || len(s.forms) != step.asked {
			t.Errorf("%s: %v, asked %d times, want %d", step.name, err, len(s.forms), step.asked)
		}
	}
}

// The caller that makes the request may give up. The others don't fail with it.
func TestTokenSourceOutlivesItsFirstCaller(t *testing.T) {
	started := make(chan struct{}, 1)
	s := tokenServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			started <- struct{}{}
			<-r.Context().Done()
			return
		}
		granting(n, w, r)
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	source := tokenSource(t, c, s)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := source.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the first caller got %v", err)
		}
	})
	<-started
	for range 4 {
		all.Go(func() {
			if token, err := source.Token(t.Context()); err != nil || token.AccessToken != "secret" {
				t.Errorf("another caller got %v", err)
			}
		})
	}
	impatient, done := context.WithCancel(t.Context())
	done()
	if _, err := source.Token(impatient); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller whose context has ended got %v", err)
	}
	cancel()
	all.Wait()
	if len(s.forms) != 2 {
		t.Errorf("%d requests, want 2", len(s.forms))
	}
}
