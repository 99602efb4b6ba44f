package modules

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// verifyMLDSA verifies an assertion with OpenSSL 3.5 or newer, which a machine
// that has a token with ML-DSA has too: go-jose doesn't know RFC 9964.
func verifyMLDSA(set *keySet, assertion string, document []byte) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	var header struct{ Alg, Kid string }
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return err
	}
	published, err := jwks.ParseSet(document)
	if err != nil {
		return err
	}
	key, found := published.Lookup(header.Kid)
	if !found || header.Kid != set.kids[len(set.kids)-1] || header.Alg != set.alg {
		return fmt.Errorf("the header is %+v; the versions are %v", header, set.kids)
	}
	spki, err := jose.MarshalSPKI(key.Public)
	if err != nil {
		return err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	return opensslVerifies(spki, []byte(parts[0]+"."+parts[1]), signature)
}

func opensslVerifies(spki, message, signature []byte) error {
	dir, err := os.MkdirTemp("", "mldsa")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, content := range map[string][]byte{
		"key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}), "message": message, "signature": signature,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	command := exec.Command("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key", "-rawin", "-in", "message", "-sigfile", "signature")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("openssl: %w: %s", err, out)
	}
	return nil
}

// certifies has OpenSSL verify a request for each ML-DSA key and a certificate
// that it signed for itself, and stores that one on the token.
func (s *site) certifies() {
	s.t.Helper()
	for _, set := range s.sets {
		if !strings.HasPrefix(set.alg, "ML-DSA") {
			continue
		}
		request, certificate := s.path("request.pem"), s.path("certificate.pem")
		check(s.t, os.WriteFile(request, []byte(s.assertd("key", "csr", set.name(), "--subject", "CN=payments", "--dns", "a.example")), 0o600))
		check(s.t, os.WriteFile(certificate, []byte(s.assertd("key", "csr", set.name(), "--subject", "CN=payments", "--self-signed", "365d")), 0o600))
		for _, args := range [][]string{
			{"req", "-verify", "-noout", "-in", request},
			{"verify", "-check_ss_sig", "-CAfile", certificate, certificate},
		} {
			if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
				s.t.Errorf("%s: openssl %s: %v: %s", set.alg, args[0], err, out)
			}
		}
		s.assertd("key", "import-cert", set.name(), certificate)
		if out := s.assertd("jwks"); !strings.Contains(out, `"x5c"`) {
			s.t.Errorf("%s: the certificate isn't published: %s", set.alg, out)
		}
	}
}
