package store

import (
	"context"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/secret"
	"github.com/assertd/assertd/internal/trustpath"
)

// Configured opens the store of a configuration. Of base it takes Now and
// Logger.
func Configured(ctx context.Context, c *config.Shared, trust trustpath.Rules, base Options) (*Store, error) {
	o := base
	o.Addresses, o.Cluster, o.Prefix, o.Trust = c.Addresses, c.Cluster, c.Prefix, trust
	o.Login = Login{User: c.User, Password: SecretOf(c.Password, trust)}
	if s := c.Sentinel; s != nil {
		o.Master, o.Sentinel = s.Master, Login{User: s.User, Password: SecretOf(s.Password, trust)}
	}
	if t := c.TLS; t != nil {
		o.TLS = &Certificates{CA: t.CA, Cert: t.Cert, Key: t.Key}
	}
	return Open(ctx, o)
}

// SecretOf is the source that a configuration names, nil for none.
func SecretOf(s *config.Secret, trust trustpath.Rules) *secret.Source {
	if s == nil {
		return nil
	}
	return &secret.Source{File: s.File, Credential: s.Credential, Command: s.Command, Trust: trust}
}
