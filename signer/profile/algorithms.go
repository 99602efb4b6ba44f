package profile

// allAlgorithms are the algorithms of keys that the daemon can hold, for
// receivers that set no narrower list. EdDSA and Ed25519 are the same
// signature under its older and its fully specified name (RFC 9864);
// receivers differ in which they take, so the key set says.
func allAlgorithms() []string {
	return []string{
		"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519", "RS256", "RS384", "RS512",
	}
}

func ecdsaOrPKCS1() []string {
	return []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512"}
}
