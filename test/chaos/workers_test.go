package chaos

import (
	"context"
	"slices"

	"github.com/assertd/assertd/ipc"
)

// status returns the workers of both tokens, by token.
func (s *site) status() map[string][]ipc.WorkerStatus {
	status, err := s.operator.Status(context.Background())
	if err != nil {
		return nil
	}
	all := make(map[string][]ipc.WorkerStatus)
	for _, token := range status.Tokens {
		all[token.Name] = token.Workers
	}
	return all
}

// ready returns the processes of a token's workers that are ready.
func (s *site) ready(token string) (pids []int) {
	for _, w := range s.status()[token] {
		if w.State == ipc.WorkerReady {
			pids = append(pids, w.PID)
		}
	}
	return pids
}

// allReady asks in the way of callers, which costs the daemon less than its
// status.
func (s *site) allReady() bool {
	answer, err := s.caller.Ready(context.Background())
	started := len(answer.Workers) == 2*workers
	return err == nil && answer.Ready && started && !slices.ContainsFunc(answer.Workers, func(w ipc.WorkerState) bool { return w.State != ipc.WorkerReady })
}

// restarts returns how often workers were replaced.
func (s *site) restarts() (n int) {
	for _, token := range s.status() {
		for _, w := range token {
			n += w.Restarts
		}
	}
	return n
}
