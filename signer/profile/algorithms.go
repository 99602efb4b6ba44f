package profile

import (
	"slices"

	"github.com/assertd/assertd/internal/jose"
)

// allAlgorithms lists every algorithm that the daemon has keys for, for
// receivers that do not restrict them. EdDSA and Ed25519 are the old and the
// fully specified name (RFC 9864) of the same signature. Receivers differ in
// which name they accept, so the key set chooses.
func allAlgorithms() []string { return jose.Names() }

// withoutEdwards is for receivers that know neither EdDSA nor ML-DSA.
func withoutEdwards() []string {
	return []string{"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"}
}

// classicAlgorithms leaves out ML-DSA (RFC 9964), for receivers whose
// specification doesn't have it yet.
func classicAlgorithms() []string {
	return slices.DeleteFunc(allAlgorithms(), func(name string) bool {
		a, err := jose.Lookup(name)
		return err != nil || a.Kind.Kty == jose.MLDSA65.Kty
	})
}

func ecdsaOrPKCS1() []string {
	return []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512"}
}

// EdDSA with an Ed25519 key has two names. These receivers refuse one or both.
const (
	ed25519Refusers = "go-jose 4.1, golang-jwt 5 and go-oidc 3.21 refuse the name Ed25519 (RFC 9864) and take EdDSA"
	eddsaRefusers   = "kube-apiserver refuses EdDSA by any name"
)

// AlgorithmNote warns of an algorithm name that common libraries refuse; empty
// if there is nothing to warn of. A profile of one known receiver lists only
// names that it takes.
func AlgorithmNote(profile, alg string) string {
	p, ok := Lookup(profile)
	if !ok || p.Known || !slices.Contains(p.Algorithms, alg) {
		return ""
	}
	switch {
	case alg == "Ed25519":
		return ed25519Refusers + "; use alg: EdDSA unless the receiver is known to take Ed25519"
	case alg == "EdDSA" && p.Family == Custom:
		return eddsaRefusers + "; for Kubernetes, use ES256"
	}
	return ""
}
