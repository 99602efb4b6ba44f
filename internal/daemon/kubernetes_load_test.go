package daemon

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// signedTokens are those that a load of requests got.
type signedTokens struct {
	mu     sync.Mutex
	signed []string
	failed []error
}

func (l *signedTokens) add(token string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = append(l.failed, err)
		return
	}
	l.signed = append(l.signed, token)
}

func (l *signedTokens) last() (n int, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n = len(l.signed); n > 0 {
		token = l.signed[n-1]
	}
	return n, token
}

// TestKubernetesReloadsUnderLoad reloads the configuration again and again
// while tokens are signed. One reload makes the next version take over. No
// request fails, and every token verifies.
func TestKubernetesReloadsUnderLoad(t *testing.T) {
	c := serveCluster(t, fmt.Sprintf("{uid: %d}", os.Getuid()))
	_, keys := c.fetch()
	load, stop, signers := &signedTokens{}, make(chan struct{}), sync.WaitGroup{}
	for range 4 {
		signers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					load.add(c.sign(apiToken().encoded()))
				}
			}
		})
	}
	defer signers.Wait()
	end := sync.OnceFunc(func() { close(stop) })
	defer end()

	c.generate("cluster", time.Now())
	var published map[string]any
	c.reloadUntil("the next version is published", func() bool {
		_, published = c.fetch()
		return newKid(published, keys) != ""
	})
	next := newKid(published, keys)
	c.activate(next)
	c.reloadUntil("the next version has signed", func() bool {
		n, token := load.last()
		return n >= 50 && c.verify(token, published) == next
	})
	end()
	signers.Wait()
	for _, err := range load.failed {
		t.Error(err)
	}
	_, after := c.fetch()
	for _, token := range load.signed {
		c.verify(token, after)
	}
}

// reloadUntil reloads the configuration until something holds.
func (c *cluster) reloadUntil(what string, holds func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := c.Reload(); err != nil {
			c.t.Fatal(err)
		}
		if holds() {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("timed out: %s", what)
		}
	}
}

// newKid is the one kid that was not there before.
func newKid(published, before map[string]any) (kid string) {
	for kid = range published {
		if before[kid] == nil {
			return kid
		}
	}
	return ""
}

// activate configures that a version of the cluster's key set signs at once.
func (c *cluster) activate(kid string) {
	c.t.Helper()
	c.head = strings.Replace(c.head, "alg: ES256, use: kubernetes", "alg: ES256, use: kubernetes, rotation: {activate: ['"+kid+"']}", 1)
	c.write(fmt.Sprintf("clients:\n  - {name: apiserver, match: {uid: %d}, grants: [%s]}\n", os.Getuid(), clusterGrant))
}
