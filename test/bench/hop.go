package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
)

// workerHop signs with a key in this process ("key") or through the pool
// ("pool"), which runs the daemon's own workers. Nothing is verified, so the
// difference between the two is the cost of the round trip to a worker.
func workerHop(e env) (prepare, error) {
	token, err := e.open(true)
	if err != nil {
		return nil, err
	}
	return func(t task) (operation, error) {
		key, err := token.Find(hsm.Selector{Label: e.labelOf(t.Alg)})
		if err != nil {
			return nil, err
		}
		digest, opts := inputOf(t.Alg)
		if t.Do == "key" {
			return func() (int, error) { _, err := key.Sign(nil, digest, opts); return 1, err }, nil
		}
		ref, err := wire.RefOf(key.Public())
		if err != nil {
			return nil, err
		}
		p, err := runPool(e, t.Workers)
		return func() (int, error) {
			_, err := p.Sign(context.Background(), "", ref, digest, opts, nil)
			return 1, err
		}, err
	}, nil
}

// inputOf returns what a crypto.Signer is given for the algorithm.
func inputOf(alg string) ([]byte, crypto.SignerOpts) {
	if alg == "EdDSA" {
		return message, crypto.Hash(0)
	}
	digest := sha256.Sum256(message)
	return digest[:], crypto.SHA256
}

// runPool starts workers that exit with this process.
func runPool(e env, workers int) (*pool.Pool, error) {
	p, err := pool.New(pool.Config{
		Command: []string{e.Binary, "hsm-worker"}, Workers: workers,
		Tokens: []pool.TokenConfig{{
			Name: tokenLabel, PIN: hsm.PINSource{File: e.PINFile},
			HSM:         hsm.Config{Module: e.Module, Label: tokenLabel, SessionCopies: true},
			Environment: map[string]string{"SOFTHSM2_CONF": e.SoftHSMConf},
		}},
	})
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(context.Background()) }()
	if err := p.WaitReady(context.Background()); err != nil {
		return nil, err
	}
	select {
	case err := <-ended:
		return nil, errors.Join(errors.New("the pool stopped"), err)
	default:
		return p, nil
	}
}
