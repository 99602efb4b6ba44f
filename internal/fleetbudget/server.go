package fleetbudget

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Server is a [Store] that is reached with a client of Valkey or Redis. The
// client should retry nothing: a call that was sent twice is answered as one
// that was overtaken.
type Server struct {
	client redis.Scripter
	script *redis.Script
}

// NewServer returns a store behind a client.
func NewServer(client redis.Scripter) *Server {
	return &Server{client, redis.NewScript(Script)}
}

// Run runs the script; the server keeps its text.
func (s *Server) Run(ctx context.Context, keys []string, args []any) (any, error) {
	return s.script.Run(ctx, s.client, keys, args...).Result()
}
