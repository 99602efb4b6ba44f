package daemon

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"

	"github.com/assertd/assertd/hsm/worker"
	"github.com/assertd/assertd/internal/keyring"
	"github.com/assertd/assertd/signer"
)

// backend lets the signer use the pool of workers as its HSM.
type backend struct {
	pool    *worker.Pool
	observe func(set string, timing worker.Timing, err error)
}

var _ signer.HSM = backend{}

// newBackend makes a backend whose timings nobody looks at.
func newBackend(pool *worker.Pool) backend {
	return backend{pool: pool, observe: func(string, worker.Timing, error) {}}
}

// Sign implements signer.HSM. A signature that verify refuses never comes back:
// the pool counts it, replaces the worker that made it and asks another one.
func (b backend) Sign(ctx context.Context, key signer.Key, digest []byte, opts crypto.SignerOpts, verify func([]byte) error) ([]byte, error) {
	signature, timing, err := b.pool.Do(ctx, worker.Request{Key: key.Ref, Digest: digest, Opts: opts, Verify: verify})
	b.observe(key.Set, timing, err)
	return signature, err
}

// pairs lists what the workers found on the tokens, each pair once however
// many tokens hold it. What is wrong with one copy is wrong with the pair: a key
// that can leave any of the tokens can leave.
func pairs(inventory []worker.KeyInfo) []keyring.Pair {
	places := make(map[worker.KeyRef]int)
	var all []keyring.Pair
	for _, info := range inventory {
		if place, known := places[info.Ref]; known && info.Public != nil {
			all[place].Problem = cmp.Or(all[place].Problem, info.Problem)
			continue
		}
		places[info.Ref] = len(all)
		all = append(all, keyring.Pair{
			Label: info.Label, ID: info.ID, Ref: info.Ref, Public: info.Public,
			Certificates: certificates(info.Certificates), Problem: info.Problem,
		})
	}
	return all
}

// certificates parses what the token stores beside a key. What is no
// certificate is left out: it is not needed to sign.
func certificates(ders [][]byte) []*x509.Certificate {
	var parsed []*x509.Certificate
	for _, der := range ders {
		if certificate, err := x509.ParseCertificate(der); err == nil {
			parsed = append(parsed, certificate)
		}
	}
	return parsed
}
