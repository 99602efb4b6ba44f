package profile

import "github.com/assertd/assertd/internal/jose"

// allAlgorithms lists every algorithm that the daemon has keys for, for
// receivers that do not restrict them. EdDSA and Ed25519 are the old and the
// fully specified name (RFC 9864) of the same signature. Receivers differ in
// which name they accept, so the key set chooses.
func allAlgorithms() []string { return jose.Names() }

// withoutEdwards is for receivers without EdDSA.
func withoutEdwards() []string {
	return []string{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
}

func ecdsaOrPKCS1() []string {
	return []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512"}
}
