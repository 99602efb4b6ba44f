package mldsakey

import (
	"filippo.io/mldsa"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"
)

// Expand returns the expanded private key (skEncode, FIPS 204 section 7.2), as
// CKA_VALUE of PKCS #11 has it. The caller clears it.
func Expand(key *mldsa.PrivateKey) []byte {
	seed := [mldsa.PrivateKeySize]byte(key.Bytes())
	defer clear(seed[:])
	switch key.PublicKey().Parameters() {
	case mldsa.MLDSA44():
		_, private := mldsa44.NewKeyFromSeed(&seed)
		return private.Bytes()
	case mldsa.MLDSA65():
		_, private := mldsa65.NewKeyFromSeed(&seed)
		return private.Bytes()
	}
	_, private := mldsa87.NewKeyFromSeed(&seed)
	return private.Bytes()
}
