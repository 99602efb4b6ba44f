package main

import (
	"os"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// decisions calls policy.Decide and nothing else, with the task's number of
// clients configured.
func decisions(e env) (prepare, error) {
	return func(t task) (operation, error) {
		v := defaults
		v.clients = t.Clients
		c, err := parseConfiguration(e, v)
		if err != nil {
			return nil, err
		}
		p, err := policy.New(c.PolicyClients())
		if err != nil {
			return nil, err
		}
		caller := caller.Caller{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: int32(os.Getpid())}
		request := policy.Request{Grant: setOf(algorithms[0].alg)}
		const many = 64 // or reading the clock would dominate
		return func() (int, error) {
			for range many {
				if _, err := p.Decide(caller, request); err != nil {
					return 0, err
				}
			}
			return many, nil
		}, nil
	}, nil
}
