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
