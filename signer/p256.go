package signer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"sync"

	"filippo.io/nistec"
)

// A P-256 signature costs more to verify in Go than SoftHSM takes to make it, and nearly half of that goes into multiples
// of the public key, which for the daemon is one of a few keys again and again. p256Key has them computed beforehand,
// which halves the verification (docs/performance.md).
//
// The arithmetic of the curve is filippo.io/nistec, the exported form of what crypto/ecdsa itself uses. Here is only
// the sum u1·G + u2·Q of FIPS 186-5, section 6.4.2, over public values, so that nothing has to be constant in time. What
// is verified is the daemon's own HSM's work: what p256Key doesn't accept is put to crypto/ecdsa, whose word counts.
type p256Key struct {
	// multiples[i][j] is (j+1)·256^i·Q: one addition for each byte of a scalar. It takes 800 kB, and 3 ms to make.
	multiples [32][255]nistec.P256Point
}

var p256Order = elliptic.P256().Params().N

// newP256Key takes a point in uncompressed form (SEC 1, section 2.3.3) and refuses one that isn't on the curve.
func newP256Key(point []byte) (*p256Key, error) {
	base, err := nistec.NewP256Point().SetBytes(point)
	if err != nil {
		return nil, err
	}
	k := new(p256Key)
	for i := range k.multiples {
		multiple := nistec.NewP256Point()
		for j := range k.multiples[i] {
			k.multiples[i][j].Set(multiple.Add(multiple, base))
		}
		base.Add(multiple, base) // 256 times what it was
	}
	return k, nil
}

// times is scalar·Q, for a scalar in big-endian bytes.
func (k *p256Key) times(scalar *[32]byte) *nistec.P256Point {
	sum := nistec.NewP256Point()
	for i := range k.multiples {
		if digit := scalar[len(scalar)-1-i]; digit > 0 {
			sum.Add(sum, &k.multiples[i][digit-1])
		}
	}
	return sum
}

// accepts reports whether an ECDSA signature in DER over a 32-byte digest is valid.
func (k *p256Key) accepts(digest, signature []byte) bool {
	r, s, ok := halves(signature)
	if !ok || len(digest) != 32 || !isScalar(r) || !isScalar(s) {
		return false
	}
	var u1, u2 [32]byte
	inverse := new(big.Int).ModInverse(s, p256Order)
	e := new(big.Int).SetBytes(digest)
	e.Mul(e, inverse).Mod(e, p256Order).FillBytes(u1[:])
	inverse.Mul(inverse, r).Mod(inverse, p256Order).FillBytes(u2[:])
	sum, err := nistec.NewP256Point().ScalarBaseMult(u1[:])
	if err != nil {
		return false
	}
	x, err := sum.Add(sum, k.times(&u2)).BytesX()
	if err != nil { // the point at infinity has no x
		return false
	}
	v := e.SetBytes(x)
	return v.Mod(v, p256Order).Cmp(r) == 0
}

// isScalar reports whether x is in [1, n-1].
func isScalar(x *big.Int) bool { return x.Sign() > 0 && x.Cmp(p256Order) < 0 }

// p256Keys keeps the tables of the keys that sign.
type p256Keys struct {
	mu    sync.RWMutex
	known map[[65]byte]*p256Key
}

// maxP256Keys bounds the memory of all tables to 25 MB.
const maxP256Keys = 32

// accepts reports whether a signature is valid, false also where this is not the way to find out.
func (ks *p256Keys) accepts(public *ecdsa.PublicKey, digest, signature []byte) bool {
	if ks == nil || public.Curve != elliptic.P256() || len(digest) != 32 {
		return false
	}
	point, err := public.Bytes()
	if err != nil || len(point) != 65 {
		return false
	}
	k := ks.get([65]byte(point))
	return k != nil && k.accepts(digest, signature)
}

func (ks *p256Keys) get(point [65]byte) *p256Key {
	ks.mu.RLock()
	k, ok := ks.known[point]
	ks.mu.RUnlock()
	if ok {
		return k
	}
	k, err := newP256Key(point[:])
	if err != nil {
		return nil
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.known == nil || len(ks.known) >= maxP256Keys {
		ks.known = make(map[[65]byte]*p256Key)
	}
	ks.known[point] = k
	return k
}
