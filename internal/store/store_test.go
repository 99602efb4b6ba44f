package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/secret"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
)

// patience is how long anything can take on a machine that is busy.
const patience = time.Minute

func open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	o.Prefix, o.Now = "test", time.Now
	if o.Logger == nil {
		o.Logger = logging.Discard
	}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func file(t *testing.T, content string) *secret.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &secret.Source{File: path}
}

// run runs a store until the test ends.
func run(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
}

func waitFor(t *testing.T, s *store.Store, what string, is func(ipc.StoreStatus) bool) ipc.StoreStatus {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if status := s.Status(); is(status) {
			return status
		}
	}
	t.Fatalf("not %s: %+v", what, s.Status())
	return ipc.StoreStatus{}
}

func up(s ipc.StoreStatus) bool   { return s.Up }
func down(s ipc.StoreStatus) bool { return !s.Up && !s.Answered.IsZero() }

// TestStoreGoesAndComes: a server that is killed, stopped and restarted empty
// is noticed, and another replication ID says that it has lost what it had.
func TestStoreGoesAndComes(t *testing.T) {
	server := storetest.Start(t, "")
	s := open(t, store.Options{Addresses: []string{server.Address}})
	run(t, s)
	first := waitFor(t, s, "up", up)
	if len(first.Replication) != 40 || first.ClockSeconds > 3600 || first.ClockSeconds < -3600 {
		t.Errorf("status %+v", first)
	}
	server.Kill()
	waitFor(t, s, "down with a reason", func(status ipc.StoreStatus) bool { // the first error may be the end of a connection
		return down(status) && strings.Contains(status.Error, "connection refused") && strings.Contains(status.Error, "budgets.shared.addresses")
	})
	server.Restart()
	if second := waitFor(t, s, "up again", up); second.Replication == first.Replication || second.Since.Before(first.Since) {
		t.Errorf("status %+v after %+v", second, first)
	}
	server.Pause()
	waitFor(t, s, "down while it is stopped", down)
	server.Resume()
	waitFor(t, s, "up after it was stopped", up)
}

// TestStorePassword: a password is read again for each connection, and never
// shown.
func TestStorePassword(t *testing.T) {
	const right, wrong = "correct-horse-4711", "wrong-horse-4711"
	server := storetest.Start(t, right)
	password := file(t, wrong)
	s := open(t, store.Options{Addresses: []string{server.Address}, Login: store.Login{Password: password}})
	err := s.Prove(t.Context())
	if err == nil || !strings.Contains(err.Error(), "check budgets.shared.user and password") {
		t.Errorf("a wrong password: %v", err)
	}
	if strings.Contains(fmt.Sprintf("%+v", err), "horse") || strings.Contains(fmt.Sprintf("%+v %#v", s.Status(), s.Options), "horse") {
		t.Errorf("the password is shown: %v", err)
	}
	if err := os.WriteFile(password.File, []byte(right+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Prove(t.Context()); err != nil {
		t.Errorf("the right password: %v", err)
	}
	without := open(t, store.Options{Addresses: []string{server.Address}})
	if err := without.Prove(t.Context()); err == nil || !strings.Contains(err.Error(), "check budgets.shared.user and password") {
		t.Errorf("no password: %v", err)
	}
	if err := os.Remove(password.File); err != nil {
		t.Fatal(err)
	}
	missing := open(t, store.Options{Addresses: []string{server.Address}, Login: store.Login{Password: password}})
	if err := missing.Prove(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestStoreACL: a user with what docs/fleet.md lists can do everything, and one
// without gets told where that is.
func TestStoreACL(t *testing.T) {
	server := storetest.Start(t, "")
	admin := open(t, store.Options{Addresses: []string{server.Address}})
	for user, rules := range map[string]string{"assertd": documentedACL(t), "reader": "~* +@read +info +time"} {
		args := []any{"ACL", "SETUSER", user, "on", ">pass"}
		for _, rule := range strings.Fields(rules) {
			args = append(args, rule)
		}
		if err := admin.Client().Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(user, err)
		}
	}
	login := func(user string) *store.Store {
		return open(t, store.Options{Addresses: []string{server.Address}, Login: store.Login{User: user, Password: file(t, "pass")}})
	}
	documented := login("assertd")
	if err := documented.Prove(t.Context()); err != nil {
		t.Errorf("the documented ACL: %v", err)
	}
	_, err := documented.Client().TxPipelined(t.Context(), func(pipe redis.Pipeliner) error { // as internal/fleet does
		key := documented.Key("k")
		pipe.HSet(t.Context(), key, "a", "b")
		pipe.HDel(t.Context(), key, "a")
		return nil
	})
	if err != nil {
		t.Errorf("the documented ACL: %v", err)
	}
	if err := login("reader").Prove(t.Context()); err == nil || !strings.Contains(err.Error(), "docs/fleet.md") {
		t.Errorf("a reader: %v", err)
	}
}

// documentedACL is the rules in docs/fleet.md, for the prefix of the test.
func documentedACL(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/fleet.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := bytes.Cut(page, []byte("ACL SETUSER assertd on >PASSWORD "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	if !found {
		t.Fatal("docs/fleet.md has no ACL")
	}
	return strings.ReplaceAll(strings.Trim(string(line), "`"), "{assertd}", "{test}")
}

// TestStoreReplica: a replica can't be written to, and says so.
func TestStoreReplica(t *testing.T) {
	primary := storetest.Start(t, "")
	host, port, _ := strings.Cut(primary.Address, ":")
	replica := storetest.Start(t, "", "--replicaof", host, port)
	s := open(t, store.Options{Addresses: []string{replica.Address}})
	if err := s.Ask(t.Context()); err == nil || !strings.Contains(err.Error(), "replica") {
		t.Errorf("a replica: %v", err)
	}
}

// TestStoreKeys: all keys are on one shard.
func TestStoreKeys(t *testing.T) {
	s := open(t, store.Options{Addresses: []string{"127.0.0.1:1"}})
	if key := s.Key("freezes"); key != "{test}:freezes" {
		t.Errorf("key %q", key)
	}
}
