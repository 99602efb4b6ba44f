package main

import (
	"context"
	"fmt"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/fleet"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/store"
)

// checkStore reports whether the daemon could use the fleet's server, if the
// configuration has one.
func checkStore(ctx context.Context, c *config.Config) error {
	if c.Budgets.Shared == nil {
		return nil
	}
	s, _, err := fleet.Open(ctx, c.Budgets.Shared, c.Trust(), store.Options{Now: now, Logger: logging.Discard})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Prove(ctx); err != nil {
		return fmt.Errorf("budgets.shared: %w", err)
	}
	return nil
}
