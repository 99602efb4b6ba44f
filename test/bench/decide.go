package main

import (
	"os"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// decisions is policy.Decide alone, with as many clients configured as the task says.
func decisions(b bed) (prepare, error) {
	return func(t task) (operation, error) {
		v := usual
		v.clients = t.Clients
		c, err := parsed(b, v)
		if err != nil {
			return nil, err
		}
		p, err := policy.New(c.PolicyClients())
		if err != nil {
			return nil, err
		}
		caller := caller.Caller{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: int32(os.Getpid())}
		request := policy.Request{Grant: setOf(algorithms[0].alg)}
		const many = 64 // so that the clock isn't what is measured
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
