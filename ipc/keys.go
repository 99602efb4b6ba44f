package ipc

// KeysResponse answers GET /v1/keys: the raw key sets that the caller may use.
type KeysResponse struct {
	Keys []KeyInfo `json:"keys"`
}

// KeyInfo describes the version of a raw key set that signs now.
type KeyInfo struct {
	Key string `json:"key"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	// PublicKey is a PEM block "PUBLIC KEY" (RFC 7468, section 13), for
	// x509.ParsePKIXPublicKey.
	PublicKey string `json:"public_key"`
	// Certificates is the key's chain, leaf first, each a PEM block "CERTIFICATE".
	Certificates []string `json:"certificates,omitempty"`
	Hashes       []string `json:"hashes"`
	Paddings     []string `json:"paddings,omitempty"`
}
