package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

// provisionMark in the environment makes this test binary generate keys and
// exit. The tests themselves load no PKCS#11 module.
const provisionMark = "ASSERTD_INTEROP_PROVISION"

// order is the standard input of a provisioning process.
type order struct {
	Module, Serial, PIN string
	Keys                []newKey
}

// newKey is a key version to generate.
type newKey struct {
	Set       string
	Type      hsm.KeyType
	Certified bool // with a self-signed certificate beside it on the token
}

// version is a generated key version.
type version struct {
	Kid         string
	Certificate []byte // DER; nil if the key has none
}

// token is the SoftHSM token of one test.
type token struct{ *softhsm.Token }

func newToken(t *testing.T) token { return token{softhsm.New(t)} }

// generate generates a version of each key set in a child process.
func (k token) generate(t *testing.T, keys ...newKey) []version {
	t.Helper()
	text, err := json.Marshal(order{Module: k.Module, Serial: k.Serial, PIN: k.PIN, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), provisionMark+"=1", "SOFTHSM2_CONF="+k.ConfFile)
	child.Stdin = bytes.NewReader(text)
	child.Stderr = os.Stderr
	out, err := child.Output()
	if err != nil {
		t.Fatalf("generate keys: %v", err)
	}
	var versions []version
	if err := json.Unmarshal(out, &versions); err != nil || len(versions) != len(keys) {
		t.Fatalf("generate keys: %v: %s", err, out)
	}
	return versions
}

// provision is the main function of a provisioning process.
func provision(stdin io.Reader, stdout, stderr io.Writer) int {
	var o order
	err := json.NewDecoder(stdin).Decode(&o)
	if err == nil {
		var versions []version
		if versions, err = o.fill(); err == nil {
			err = json.NewEncoder(stdout).Encode(versions)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "provision:", err)
		return 1
	}
	return 0
}

func (o order) fill() (versions []version, err error) {
	token, err := hsm.Open(hsm.Config{Module: o.Module, Serial: o.Serial}, hsm.NewPIN([]byte(o.PIN)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, token.Close()) }()
	now := time.Now()
	for _, key := range o.Keys {
		v, err := key.generate(token, now)
		if err != nil {
			return nil, err
		}
		versions = append(versions, v)
	}
	return versions, nil
}

func (k newKey) generate(token *hsm.Token, now time.Time) (version, error) {
	key, err := token.Generate(hsm.Spec{Label: keyset.Label(k.Set, now), Type: k.Type})
	if err != nil {
		return version{}, err
	}
	kid, err := jwks.Thumbprint(key.Public())
	if err != nil {
		return version{}, err
	}
	v := version{Kid: kid}
	if k.Certified {
		v.Certificate, err = certify(token, key, k.Set, now)
	}
	return v, err
}

// certify stores a certificate for receivers that require one.
func certify(token *hsm.Token, key *hsm.Key, name string, now time.Time) (der []byte, err error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	der, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return der, token.StoreCertificate(key, certificate)
}
