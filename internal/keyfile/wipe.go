package keyfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"
)

// Wipe overwrites the secrets of a private key as far as Go lets it: its
// standard library and the collector may have made copies, and nothing reaches
// the secret of an ML-DSA key. The key can't be used after that.
func Wipe(key crypto.Signer) {
	switch key := key.(type) {
	case ed25519.PrivateKey:
		clear(key)
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 nothing else reaches the secret
		wipe(key.D)
	case *rsa.PrivateKey:
		wipe(key.D)
		for _, prime := range key.Primes {
			wipe(prime)
		}
		for _, n := range []*big.Int{key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv} {
			wipe(n)
		}
	}
}

func wipe(n *big.Int) {
	if n != nil {
		clear(n.Bits())
		n.SetInt64(0)
	}
}
