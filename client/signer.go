package client

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/ipc"
)

// signTimeout limits one signature: crypto.Signer has no context.
const signTimeout = 10 * time.Second

// ErrKeyChanged means that the key set has rotated and no longer signs with the
// key that the Signer was made for. Make a new Signer, and reissue whatever is
// bound to the old key, such as a certificate.
var ErrKeyChanged = errors.New("the key has been rotated")

// Signer is a [crypto.Signer] whose key is in the HSM, behind the daemon. It is
// bound to one version of a raw key set: Public always returns the same key. It
// is safe for concurrent use.
type Signer struct {
	client  *Client
	ctx     context.Context
	timeout time.Duration
	info    ipc.KeyInfo
	public  crypto.PublicKey
	chain   [][]byte // DER, leaf first
}

var _ crypto.Signer = (*Signer)(nil)

// Signer returns a signer for a raw key set that this process may use. ctx
// applies only to this lookup. Each signature has a timeout of 10 seconds; see
// also [Signer.WithContext]. If this process may not use the key set, the error
// matches [ipc.CodeKeyNotAllowed].
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
	return nil, ipc.Problemf(ipc.CodeKeyNotAllowed, "This process has no raw key set %q; %s.", key, usable(key, keys.Keys))
}

// usable says which key sets to ask for instead of the wanted one.
func usable(wanted string, keys []ipc.KeyInfo) string {
	if len(keys) == 0 {
		return "it needs a grant for a key set with use: raw"
	}
	var names, quoted []string
	for _, info := range keys {
		names, quoted = append(names, info.Key), append(quoted, strconv.Quote(info.Key))
	}
	all := strings.Join(quoted, ", ")
	if meant := spelling.Nearest(wanted, names); meant != "" {
		return "did you mean " + meant + "? It may use " + all
	}
	return "it may use " + all
}

func (c *Client) newSigner(info ipc.KeyInfo) (*Signer, error) {
	block, _ := pem.Decode([]byte(info.PublicKey))
	if block == nil {
		return nil, fmt.Errorf("%w: the public key of %q is not PEM", ErrNotAssertd, info.Key)
	}
	public, err := jose.ParseSPKI(block.Bytes)
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

// WithContext returns a copy whose signatures end with ctx, such as the context
// of a TLS handshake.
func (s *Signer) WithContext(ctx context.Context) *Signer {
	with := *s
	with.ctx = ctx
	return &with
}

// Public returns the public key: an *rsa.PublicKey, *ecdsa.PublicKey or
// ed25519.PublicKey.
func (s *Signer) Public() crypto.PublicKey { return s.public }

// KeyID returns the key's RFC 7638 thumbprint.
func (s *Signer) KeyID() string { return s.info.Kid }

// Info returns the daemon's description of the key, such as the allowed hashes.
// Its public key and certificates are PEM.
func (s *Signer) Info() ipc.KeyInfo { return s.info }

// Sign implements crypto.Signer. It ignores the reader: the HSM has its own
// source of randomness.
//
// An ECDSA signature is ASN.1 DER. RSA signs with PKCS #1 v1.5, or with PSS if
// opts is *rsa.PSSOptions. The PSS salt is as long as the hash, also for
// rsa.PSSSaltLengthAuto; Sign rejects any other length. An Ed25519 key signs
// the message itself, of at most [ipc.MaxMessageBytes], and opts.HashFunc()
// must be zero. Errors in digest or opts match [ErrSignOptions].
func (s *Signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	return s.SignContext(ctx, digest, opts)
}

// SignContext is Sign with a context, in place of the Signer's own context and
// timeout.
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
		return nil, fmt.Errorf("%w: key set %q now signs with %s, not with %s; make a new Signer",
			ErrKeyChanged, s.info.Key, answer.Kid, s.info.Kid)
	}
	return answer.Signature, nil
}

// Certificate returns the certificate chain that is stored in the HSM next to
// the key, for tls.Config. It is an error if there is none: use
// [Signer.CertificateWith] with the chain from your CA.
func (s *Signer) Certificate() (tls.Certificate, error) {
	if len(s.chain) == 0 {
		return tls.Certificate{}, fmt.Errorf("key set %q has no certificate in the HSM; store one next to the key, or use CertificateWith",
			s.info.Key)
	}
	return s.CertificateWith(s.chain...), nil
}

// CertificateWith returns a tls.Certificate with this key and the given chain,
// in DER, leaf first. It offers only the signature schemes that the daemon
// allows.
func (s *Signer) CertificateWith(chain ...[]byte) tls.Certificate {
	return tls.Certificate{Certificate: chain, PrivateKey: s, SupportedSignatureAlgorithms: schemes(s.info, s.public)}
}
