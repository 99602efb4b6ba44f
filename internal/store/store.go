// Package store is the connection to the Valkey or Redis server that the
// daemons of a fleet share (budgets.shared).
//
// The server is a convenience and never an authority. It may be away, restart
// empty, fail over to a replica that lost writes, or be written to by others.
// What is built on this package must stay safe then.
//
// Nothing is retried here: a script that takes from a budget must not run twice
// because its answer was lost.
package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/secret"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
)

const (
	// dialTimeout bounds a connection with its TLS handshake and login, and the
	// answer to a command without a deadline of its own.
	dialTimeout = 2 * time.Second
	// connections is how many can be open to one server.
	connections = 32
	// maxPassword is in bytes.
	maxPassword = 1024
)

// Login is a user of a server. Nobody logs in without a password.
type Login struct {
	User     string // "" for the default user
	Password *secret.Source
}

// Certificates are PEM files, read for each connection.
type Certificates struct {
	CA        string // "" for the system's authorities
	Cert, Key string // of the client; "" for none
}

// Options of a [Store].
type Options struct {
	Addresses []string // host and port: of one server, of nodes of a cluster, or of sentinels
	Cluster   bool
	Master    string // name of the primary, if the addresses are those of sentinels
	Sentinel  Login  // at the sentinels
	Login     Login
	TLS       *Certificates // nil for a connection without TLS
	Trust     trustpath.Rules
	Prefix    string // beginning of the names of all keys
	Now       func() time.Time
	Logger    logging.Logger
}

// Store is the connection. It is safe for concurrent use.
type Store struct {
	Options
	client redis.UniversalClient

	mu     sync.Mutex
	status ipc.StoreStatus
}

// silence keeps the library from writing to standard error: what matters of it
// is in the errors.
var silence = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// Open makes a store. It doesn't connect: the first command and Run do. It
// reads the sentinels' password.
func Open(ctx context.Context, o Options) (*Store, error) {
	silence()
	s := &Store{Options: o}
	settings := &redis.UniversalOptions{
		Addrs: o.Addresses, MasterName: o.Master, IsClusterMode: o.Cluster, Dialer: s.dial,
		// RESP2 and no names for connections: fewer commands for the user's ACL.
		Protocol: 2, DisableIdentity: true,
		DialTimeout: dialTimeout, ReadTimeout: dialTimeout, WriteTimeout: dialTimeout, PoolTimeout: dialTimeout,
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1, PoolSize: connections,
	}
	if o.Login.Password != nil {
		settings.CredentialsProviderContext = o.Login.read
	}
	if o.Sentinel.Password != nil {
		var err error
		if settings.SentinelUsername, settings.SentinelPassword, err = o.Sentinel.read(ctx); err != nil {
			return nil, fmt.Errorf("budgets.shared.sentinel.password: %w", err)
		}
	}
	s.client = redis.NewUniversalClient(settings)
	s.status = ipc.StoreStatus{Since: o.Now(), Error: "the server was not asked yet"}
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }

// Client is for commands and scripts. Every command needs a context with a
// deadline.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Key is the name of a key at the server. All have one hash tag, so a cluster
// keeps them on one shard and a script can use several.
func (s *Store) Key(name string) string { return "{" + s.Prefix + "}:" + name }

// Status says whether the server answers.
func (s *Store) Status() ipc.StoreStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Now is the time by the server's clock, as far as it is known: else by this
// host's.
func (s *Store) Now() time.Time {
	return s.Options.Now().Add(time.Duration(s.Status().ClockSeconds * float64(time.Second)))
}

// read is the user and the password for a new connection.
func (l Login) read(ctx context.Context) (user, password string, err error) {
	line, err := l.Password.Line(ctx, maxPassword)
	if err != nil {
		return "", "", err
	}
	defer clear(line)
	user = l.User
	if user == "" {
		user = "default"
	}
	return user, string(line), nil
}

func (s *Store) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil || s.TLS == nil {
		return conn, err
	}
	secured, err := s.secure(ctx, conn, address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("TLS: %w; check the server's certificate, and budgets.shared.tls", err), conn.Close())
	}
	return secured, nil
}
