package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// keyStub is a daemon with raw keys in memory.
type keyStub struct {
	keys map[string]crypto.Signer
	kid  atomic.Value // of every key
	last atomic.Value // ipc.SignRequest
}

func (s *keyStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/keys" {
		answer(w, s.list())
		return
	}
	var req ipc.SignRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		refuse(w, ipc.NewProblem(ipc.CodeMalformedRequest, err.Error()))
		return
	}
	s.last.Store(req)
	hash := map[string]crypto.Hash{ipc.HashSHA256: crypto.SHA256, ipc.HashSHA384: crypto.SHA384, ipc.HashSHA512: crypto.SHA512}[req.Hash]
	var opts crypto.SignerOpts = hash
	if req.Padding == ipc.PaddingPSS {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := s.keys[req.Key].Sign(rand.Reader, req.Digest, opts)
	if err != nil {
		refuse(w, ipc.NewProblem(ipc.CodeMalformedRequest, err.Error()))
		return
	}
	answer(w, ipc.SignResponse{Signature: signature, Kid: s.kid.Load().(string)})
}

func (s *keyStub) list() (keys ipc.KeysResponse) {
	for name, key := range s.keys {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			panic(err)
		}
		info := ipc.KeyInfo{
			Key: name, Kid: s.kid.Load().(string), PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
			Hashes: []string{ipc.HashSHA256},
		}
		if name == "rsa" {
			info.Paddings = []string{ipc.PaddingPSS}
		}
		keys.Keys = append(keys.Keys, info)
	}
	return keys
}

func newKeyStub(t *testing.T) (*keyStub, *Client) {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &keyStub{keys: map[string]crypto.Signer{"ec": ec, "rsa": rsaKey, "ed": ed}}
	s.kid.Store("first")
	return s, serve(t, s.ServeHTTP).dial(t)
}

func signerOf(t *testing.T, c *Client, key string) *Signer {
	t.Helper()
	signer, err := c.Signer(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestSignerImplementsCryptoSigner(t *testing.T) {
	stub, c := newKeyStub(t)
	message := []byte("message")
	digest256, digest384 := sha256.Sum256(message), sha512.Sum384(message)
	for _, row := range []struct {
		name, key string
		input     []byte
		opts      crypto.SignerOpts
		hash, pad string
	}{
		{"ecdsa", "ec", digest256[:], crypto.SHA256, ipc.HashSHA256, ""},
		{"ecdsa with a longer hash", "ec", digest384[:], crypto.SHA384, ipc.HashSHA384, ""},
		{"pkcs1v15", "rsa", digest256[:], crypto.SHA256, ipc.HashSHA256, ipc.PaddingPKCS1v15},
		{"pss as TLS asks", "rsa", digest256[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}, ipc.HashSHA256, ipc.PaddingPSS},
		{"pss as go-jose asks", "rsa", digest384[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: crypto.SHA384}, ipc.HashSHA384, ipc.PaddingPSS},
		{"pss by number", "rsa", digest256[:], &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256}, ipc.HashSHA256, ipc.PaddingPSS},
		{"ed25519", "ed", message, crypto.Hash(0), ipc.HashNone, ""},
		{"ed25519 with its options", "ed", message, &ed25519.Options{}, ipc.HashNone, ""},
		{"ed25519 without options", "ed", message, nil, ipc.HashNone, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			signer := signerOf(t, c, row.key)
			signature, err := signer.Sign(rand.Reader, row.input, row.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := stub.last.Load().(ipc.SignRequest); got.Hash != row.hash || got.Padding != row.pad || got.Key != row.key {
				t.Errorf("asked for %s %q %s", got.Hash, got.Padding, got.Key)
			}
			verify(t, signer.Public(), row.input, row.opts, signature)
		})
	}
}

func verify(t *testing.T, public crypto.PublicKey, input []byte, opts crypto.SignerOpts, signature []byte) {
	t.Helper()
	var good bool
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(key, input, signature)
	case ed25519.PublicKey:
		good = ed25519.Verify(key, input, signature)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			// JOSE and TLS accept only this salt length.
			good = rsa.VerifyPSS(key, pss.Hash, input, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		} else {
			good = rsa.VerifyPKCS1v15(key, opts.HashFunc(), input, signature) == nil
		}
	}
	if !good {
		t.Error("the signature does not verify")
	}
}

func TestSignerRejectsBadOptions(t *testing.T) {
	_, c := newKeyStub(t)
	digest := sha256.Sum256(nil)
	for _, row := range []struct {
		name, key string
		input     []byte
		opts      crypto.SignerOpts
	}{
		{"short digest", "ec", digest[:31], crypto.SHA256},
		{"digest of another hash", "ec", digest[:], crypto.SHA512},
		{"no digest", "ec", nil, crypto.SHA256},
		{"SHA-1", "rsa", make([]byte, 20), crypto.SHA1},
		{"no hash", "ec", digest[:], crypto.Hash(0)},
		{"no options", "rsa", digest[:], nil},
		{"unknown hash", "rsa", digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: 99}},
		{"pss without hash", "rsa", digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}},
		{"salt of 20 bytes", "rsa", digest[:], &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}},
		{"digest for ed25519", "ed", digest[:], crypto.SHA256},
		{"ed25519ph", "ed", make([]byte, 64), &ed25519.Options{Hash: crypto.SHA512}},
		{"ed25519ctx", "ed", digest[:], &ed25519.Options{Context: "c"}},
		{"empty message", "ed", nil, crypto.Hash(0)},
		{"long message", "ed", make([]byte, ipc.MaxMessageBytes+1), crypto.Hash(0)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if _, err := signerOf(t, c, row.key).Sign(rand.Reader, row.input, row.opts); !errors.Is(err, ErrSignOptions) {
				t.Errorf("got %v, want ErrSignOptions", err)
			}
		})
	}
}

func TestSignerIsBoundToOneKey(t *testing.T) {
	stub, c := newKeyStub(t)
	signer := signerOf(t, c, "ec")
	stub.kid.Store("second")
	digest := sha256.Sum256(nil)
	if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, ErrKeyChanged) {
		t.Errorf("after a rotation: %v, want ErrKeyChanged", err)
	}
}

func TestSignerForUnknownKey(t *testing.T) {
	_, c := newKeyStub(t)
	if _, err := c.Signer(t.Context(), "other"); !errors.Is(err, ipc.CodeKeyNotAllowed) {
		t.Errorf("got %v", err)
	}
}

func TestSignerEndsWithItsContext(t *testing.T) {
	_, c := newKeyStub(t)
	signer := signerOf(t, c, "ec")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	digest := sha256.Sum256(nil)
	if _, err := signer.WithContext(ctx).Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	signer.timeout = time.Nanosecond
	if _, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestSignerIsSafeForConcurrentUse(t *testing.T) {
	_, c := newKeyStub(t)
	signer := signerOf(t, c, "ec")
	digest := sha256.Sum256(nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil || !ecdsa.VerifyASN1(signer.Public().(*ecdsa.PublicKey), digest[:], signature) {
				t.Errorf("invalid signature: %v", err)
			}
		})
	}
	all.Wait()
}

func TestCertificateOffersOnlyAllowedSchemes(t *testing.T) {
	_, c := newKeyStub(t)
	for key, want := range map[string][]tls.SignatureScheme{
		"ec": {tls.ECDSAWithP256AndSHA256}, "rsa": {tls.PSSWithSHA256}, "ed": nil,
	} {
		if got := signerOf(t, c, key).CertificateWith(nil).SupportedSignatureAlgorithms; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	if _, err := signerOf(t, c, "ec").Certificate(); err == nil {
		t.Error("got a certificate although none is stored")
	}
}

func FuzzSignRequest(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef"), uint(crypto.SHA256), -1, true)
	f.Add([]byte{}, uint(0), 0, false)
	f.Add(make([]byte, 64), uint(crypto.SHA512), 64, true)
	public := &rsa.PublicKey{}
	f.Fuzz(func(t *testing.T, digest []byte, hash uint, salt int, pss bool) {
		var opts crypto.SignerOpts = crypto.Hash(hash)
		if pss {
			opts = &rsa.PSSOptions{Hash: crypto.Hash(hash), SaltLength: salt}
		}
		req, err := signRequest(public, digest, opts)
		switch {
		case err != nil && !errors.Is(err, ErrSignOptions):
			t.Errorf("error of another kind: %v", err)
		case err == nil && len(req.Digest) != crypto.Hash(hash).Size():
			t.Errorf("%d bytes pass as %v", len(req.Digest), crypto.Hash(hash))
		}
	})
}
