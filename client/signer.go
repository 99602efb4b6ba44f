package client

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/assertd/assertd/ipc"
)

// signTimeout bounds one signature of a Signer, whose interface has no context.
const signTimeout = 10 * time.Second

// ErrKeyChanged means that the key set signs with another version than the one
// whose public key the Signer shows. Make a new Signer, and have what was bound
// to the old key, such as a certificate, made anew.
var ErrKeyChanged = errors.New("the key set has changed its key")

// Signer is a key in the HSM behind the daemon, as a [crypto.Signer]. It stands
// for one version of a raw key set: what Public returns never changes. It is
// safe for concurrent use.
type Signer struct {
	client  *Client
	ctx     context.Context
	timeout time.Duration
	info    ipc.KeyInfo
	public  crypto.PublicKey
	chain   [][]byte // DER, leaf first
}

var _ crypto.Signer = (*Signer)(nil)

// Signer returns the signer of a raw key set that this process may use. ctx
// bounds the look-up alone; each signature has ten seconds, or what
// [Signer.WithContext] says. The error is [ipc.CodeKeyNotAllowed] where there is
// no such key set for this process.
func (c *Client) Signer(ctx context.Context, key string) (*Signer, error) {
	keys, err := c.Keys(ctx)
	if err != nil {
		return nil, err
	}
	for _, info := range keys.Keys {
		if info.Key == key {
			return c.newSigner(info)
		}
	}
	return nil, ipc.Problemf(ipc.CodeKeyNotAllowed, "this process may use no raw key set %q; %s", key, usable(keys.Keys))
}

// usable lists what could have been asked for instead.
func usable(keys []ipc.KeyInfo) string {
	if len(keys) == 0 {
		return "it may use none: a grant for a key set with use: raw is needed"
	}
	list := "it may use"
	for _, info := range keys {
		list += fmt.Sprintf(" %q", info.Key)
	}
	return list
}

func (c *Client) newSigner(info ipc.KeyInfo) (*Signer, error) {
	block, _ := pem.Decode([]byte(info.PublicKey))
	if block == nil {
		return nil, fmt.Errorf("%w: the public key of %q is not PEM", ErrNotAssertd, info.Key)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the public key of %q: %w", ErrNotAssertd, info.Key, err)
	}
	s := &Signer{client: c, ctx: context.Background(), timeout: signTimeout, info: info, public: public}
	for _, text := range info.Certificates {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, fmt.Errorf("%w: a certificate of %q is not PEM", ErrNotAssertd, info.Key)
		}
		s.chain = append(s.chain, block.Bytes)
	}
	return s, nil
}

// WithContext returns a copy whose signatures end with ctx, for callers such as a
// TLS handshake with a deadline.
func (s *Signer) WithContext(ctx context.Context) *Signer {
	with := *s
	with.ctx = ctx
	return &with
}

// Public returns the public key: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// KeyID returns the key's RFC 7638 thumbprint.
func (s *Signer) KeyID() string { return s.info.Kid }

// Info returns what the daemon says about the key, such as the hashes that it
// signs; the public key and certificates in it are PEM.
func (s *Signer) Info() ipc.KeyInfo { return s.info }

// Sign signs a digest, as crypto.Signer says; the reader is not used, since the HSM
// has its own. An ECDSA signature is ASN.1 DER. RSA signs with PKCS #1 v1.5, or
// with PSS where opts is *rsa.PSSOptions: the salt is then as long as the hash,
// which is also what rsa.PSSSaltLengthAuto gets, and any other length is refused.
// An Ed25519 key takes the message itself (of at most ipc.MaxMessageBytes) with
// opts.HashFunc() zero. The error is [ErrSignOptions] for what can't be signed.
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	return s.SignContext(ctx, digest, opts)
}

// SignContext is Sign within a context of its own.
func (s *Signer) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	req, err := signRequest(s.public, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("key set %q: %w", s.info.Key, err)
	}
	req.Key = s.info.Key
	answer, err := s.client.Sign(ctx, req)
	if err != nil {
		return nil, err
	}
	if answer.Kid != s.info.Kid {
		return nil, fmt.Errorf("%w: %q signs with %s now, this signer stands for %s", ErrKeyChanged, s.info.Key, answer.Kid, s.info.Kid)
	}
	return answer.Signature, nil
}

// Certificate returns the chain that the HSM holds beside the key, for
// tls.Config. It is an error if there is none: set the chain that your authority
// gave you in tls.Certificate, with this signer as its PrivateKey.
func (s *Signer) Certificate() (tls.Certificate, error) {
	if len(s.chain) == 0 {
		return tls.Certificate{}, fmt.Errorf("key set %q has no certificate on the HSM: store it beside the key, or fill in tls.Certificate yourself", s.info.Key)
	}
	return s.CertificateWith(s.chain...), nil
}

// CertificateWith makes a certificate of a chain in DER, leaf first, and this key.
// It offers TLS only the signature schemes that the daemon would sign.
func (s *Signer) CertificateWith(chain ...[]byte) tls.Certificate {
	return tls.Certificate{Certificate: chain, PrivateKey: s, SupportedSignatureAlgorithms: schemes(s.info, s.public)}
}
