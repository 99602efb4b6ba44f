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

// workerHop signs with a key in this process ("key") or by way of the pool ("pool"), which runs the daemon's own workers.
// Nothing is verified: the difference of the two is what the way to a worker and back costs.
func workerHop(b bed) (prepare, error) {
	token, err := b.open(true)
	if err != nil {
		return nil, err
	}
	return func(t task) (operation, error) {
		key, err := token.Find(hsm.Selector{Label: b.labelOf(t.Alg)})
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
		p, err := runPool(b, t.Workers)
		return func() (int, error) {
			_, err := p.Sign(context.Background(), "", ref, digest, opts, nil)
			return 1, err
		}, err
	}, nil
}

// inputOf is what a crypto.Signer is asked for the algorithm.
func inputOf(alg string) ([]byte, crypto.SignerOpts) {
	if alg == "EdDSA" {
		return message, crypto.Hash(0)
	}
	digest := sha256.Sum256(message)
	return digest[:], crypto.SHA256
}

// runPool starts workers that end with this process.
func runPool(b bed, workers int) (*pool.Pool, error) {
	p, err := pool.New(pool.Config{
		Command: []string{b.Binary, "hsm-worker"}, Workers: workers,
		Tokens: []pool.TokenConfig{{
			Name: tokenLabel, PIN: hsm.PINSource{File: b.PINFile},
			HSM:         hsm.Config{Module: b.Module, Label: tokenLabel, SessionCopies: true},
			Environment: map[string]string{"SOFTHSM2_CONF": b.SoftHSMConf},
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
		return nil, errors.Join(errors.New("the pool ended"), err)
	default:
		return p, nil
	}
}
