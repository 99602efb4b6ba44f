package modules

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"

	"filippo.io/mldsa"
	"filippo.io/mldsa/x509"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyadmin"
)

// imports puts a key of each kind from a file into the token, and destroys it
// again. Algorithms of one kind share the result.
func (s *site) imports(results table) {
	s.t.Helper()
	tried := map[jose.Kind]bool{}
	for _, alg := range results.algorithms() {
		a, err := jose.Lookup(alg)
		check(s.t, err)
		if _, known := tried[a.Kind]; !known {
			tried[a.Kind] = s.importsKind(a.Kind)
		}
		*results.imported(alg) = tried[a.Kind]
	}
}

func (s *site) importsKind(kind jose.Kind) bool {
	s.t.Helper()
	private, err := softwareKey(kind)
	check(s.t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	check(s.t, err)
	path := s.path("imported.pem")
	check(s.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	out, err := s.try("key", "import", path, "--label", "imported "+kind.Kty+kind.Crv, "--json")
	if err != nil {
		s.t.Logf("importing %v: %v: %s", kind, err, out)
		return false
	}
	var key keyadmin.KeyDocument
	check(s.t, json.Unmarshal([]byte(out), &key))
	if key.Custody != "imported" {
		s.t.Errorf("the custody of an imported key is %s", key.Custody)
	}
	s.assertd("key", "destroy", "kid:"+key.Kid, "--yes-destroy", key.Kid)
	return true
}

func softwareKey(kind jose.Kind) (crypto.Signer, error) {
	switch {
	case kind == jose.RSA:
		return rsa.GenerateKey(rand.Reader, 2048)
	case kind == jose.Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case kind.Curve() != nil:
		return ecdsa.GenerateKey(kind.Curve(), rand.Reader)
	}
	parameters, ok := kind.Parameters()
	if !ok {
		return nil, fmt.Errorf("no keys of kind %v", kind)
	}
	return mldsa.GenerateKey(parameters)
}
