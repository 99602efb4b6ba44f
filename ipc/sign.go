package ipc

// Hashes of a SignRequest, named as by crypto.Hash.String.
const (
	HashSHA256 = "SHA-256"
	HashSHA384 = "SHA-384"
	HashSHA512 = "SHA-512"
	// HashNone means that the digest is the message itself, at most
	// MaxMessageBytes, as for Ed25519 (RFC 8032).
	HashNone = "none"
)

// MaxMessageBytes is the maximum size of the message of a SignRequest with
// HashNone. A TLS 1.3 CertificateVerify, a CSR and an SSH signature all fit.
const MaxMessageBytes = 32 << 10

// Paddings of a SignRequest for an RSA key.
const (
	PaddingPKCS1v15 = "pkcs1v15"
	PaddingPSS      = "pss" // the salt is as long as the hash
)

// SignRequest is the body of POST /v1/sign: a raw signature over a digest, for
// key sets with `use: raw`.
type SignRequest struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
	// Digest has the length of the hash. On the wire it is standard base64 with
	// padding.
	Digest  []byte `json:"digest"`
	Padding string `json:"padding,omitempty"` // only for RSA keys
}

// SignResponse answers POST /v1/sign.
type SignResponse struct {
	// Signature is what crypto.Signer returns for the key: ASN.1 DER for ECDSA,
	// plain octets for RSA and Ed25519. On the wire it is standard base64.
	Signature []byte `json:"signature"`
	Kid       string `json:"kid"`
}
