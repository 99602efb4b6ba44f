package hsm

import (
	"context"
	"crypto"
	"crypto/x509"
	"io"
)

// The bodies below are replaced within the hour; the signatures stay.

type PINSource struct {
	File, Credential string
	Command          []string
	Prompt           bool
	Value            *PIN
}

func (PINSource) Validate() error                        { return ErrPINSource }
func (PINSource) Read(ctx context.Context) (*PIN, error) { return nil, ErrPINSource }

type Token struct{}

func InitToken(module, label string, soPIN, pin *PIN) (serial string, err error) {
	return "", ErrModule
}
func Open(cfg Config, pin *PIN) (*Token, error)                             { return nil, ErrModule }
func (*Token) Info() TokenInfo                                              { return TokenInfo{} }
func (*Token) Close() error                                                 { return nil }
func (*Token) Refresh() error                                               { return nil }
func (*Token) Keys() ([]*Key, error)                                        { return nil, ErrModule }
func (*Token) Find(s Selector) (*Key, error)                                { return nil, ErrModule }
func (*Token) Generate(s Spec) (*Key, error)                                { return nil, ErrModule }
func (*Token) Destroy(k *Key) error                                         { return ErrModule }
func (*Token) StoreCertificate(k *Key, certificate *x509.Certificate) error { return ErrModule }
func (*Token) Certificates() ([]Certificate, error)                         { return nil, ErrModule }

type Certificate struct {
	Label       string
	ID          []byte
	Certificate *x509.Certificate
}

type Key struct{}

func (*Key) Label() string                   { return "" }
func (*Key) ID() []byte                      { return nil }
func (*Key) Type() KeyType                   { return "" }
func (*Key) Public() crypto.PublicKey        { return nil }
func (*Key) Custody() Custody                { return Custody{} }
func (*Key) Problem() error                  { return nil }
func (*Key) Prove(ctx context.Context) error { return nil }
func (*Key) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return nil, ErrModule
}
func (*Key) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return nil, ErrModule
}
