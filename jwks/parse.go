package jwks

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/assertd/assertd/internal/jose"
)

// MaxDocument is the longest JWK set in bytes that ParseSet reads.
const MaxDocument = 1 << 20

// privateMembers carry private or symmetric keys (RFC 7518 sections 6.2.2,
// 6.3.2 and 6.4.1, RFC 9964).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// ParseSet reads a JWK set from any source, to compare it with ours (Diff) or
// to verify signatures with its keys. It is strict where two readers could
// disagree: it refuses duplicate members and kids, noncanonical base64,
// coordinates of the wrong width, trailing bytes, and certificates for another
// key. It also refuses private members and RSA keys under 2048 bits.
//
// It is lenient where receivers differ: kid, use and alg may be missing (Diff
// reports that), and unknown members are ignored (RFC 7517 section 4). It
// counts but omits keys that assertd never makes, such as encryption keys. To
// publish the keys of a parsed set, pass them to NewSet.
//
// Errors wrap ErrFormat or, in a *KeyError, one of NewSet's errors.
func ParseSet(document []byte) (Set, error) {
	if len(document) > MaxDocument {
		return Set{}, fmt.Errorf("%w: %d bytes; the maximum is %d", ErrFormat, len(document), MaxDocument)
	}
	keys, err := readKeys(document)
	if err != nil {
		return Set{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var entries []entry
	for i, key := range keys {
		e, ours, err := parseKey(key)
		if err != nil {
			return Set{}, &KeyError{Index: i, Kid: e.key.Kid, Err: err}
		}
		if ours {
			e.index = i
			entries = append(entries, e)
		}
	}
	return newSet(entries, len(keys)-len(entries))
}

// maxDepth limits the nesting of a JWK set: set, list, key, list of
// certificates, and a few levels for unknown members.
const maxDepth = 8

// members are a JSON object's values by exact name: encoding/json would take
// "KID" for "kid".
type members map[string]jsontext.Value

// readKeys returns the objects in the list "keys".
func readKeys(document []byte) ([]members, error) {
	if err := checkJSON(document); err != nil {
		return nil, err
	}
	var set struct {
		Keys []members `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil || set.Keys == nil {
		return nil, errors.New("no list \"keys\" of objects")
	}
	return set.Keys, nil
}

// checkJSON refuses what is not one JSON value, and what two readers could read
// in two ways: jsontext refuses repeated names and invalid UTF-8 at any depth.
func checkJSON(document []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(document))
	for complete := false; ; complete = decoder.StackDepth() == 0 {
		_, err := decoder.ReadToken()
		switch {
		case complete && !errors.Is(err, io.EOF):
			return errors.New("more text follows the JSON value")
		case complete:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("empty document")
		case err != nil:
			return errors.New(strings.TrimPrefix(err.Error(), "jsontext: "))
		case decoder.StackDepth() > maxDepth:
			return fmt.Errorf("nested deeper than %d levels", maxDepth)
		}
	}
}

// text reads a member that must be a string if it is present.
func (m members) text(name string) (string, error) {
	raw, present := m[name]
	if !present {
		return "", nil
	}
	if raw.Kind() != '"' {
		return "", fmt.Errorf("%w: %q is not a string", ErrFormat, name)
	}
	value, err := jsontext.AppendUnquote(nil, raw)
	return string(value), err
}

// parseKey reads one key. ours is false if assertd never makes such keys.
func parseKey(m members) (e entry, ours bool, err error) {
	for _, name := range privateMembers {
		if _, there := m[name]; there {
			return e, false, fmt.Errorf("%w: member %q; treat the key as compromised and replace it", ErrPrivateKey, name)
		}
	}
	wire, err := readMembers(m)
	if err != nil {
		return e, false, err
	}
	e.key.Kid, e.key.Alg, e.wire = wire.Kid, wire.Alg, wire
	if wire.isForeign() {
		return e, false, nil
	}
	return e, true, e.readKey(m)
}

func readMembers(m members) (jwk, error) {
	var wire jwk
	for _, member := range []struct {
		name   string
		target *string
	}{
		{"kid", &wire.Kid}, {"kty", &wire.Kty}, {"use", &wire.Use}, {"alg", &wire.Alg}, {"crv", &wire.Crv},
		{"x", &wire.X}, {"y", &wire.Y}, {"n", &wire.N}, {"e", &wire.E}, {"pub", &wire.Pub}, {"x5t#S256", &wire.X5tS256},
	} {
		var err error
		if *member.target, err = m.text(member.name); err != nil {
			return jwk{}, err
		}
	}
	if wire.Kid == "" {
		return wire, nil
	}
	return wire, checkKid(wire.Kid)
}

// isForeign reports whether a key is for encryption or of a kind that assertd
// does not make.
func (k jwk) isForeign() bool {
	return k.algorithms() == nil || k.Use != "" && k.Use != "sig" ||
		k.Alg != "" && !slices.Contains(jose.Names(), k.Alg)
}

// readKey decodes and checks the key itself, and normalizes its wire form.
func (e *entry) readKey(m members) error {
	public, err := e.wire.decodePublic()
	if err != nil {
		return err
	}
	if err := checkStrength(public); err != nil {
		return err
	}
	if fitting := e.wire.algorithms(); e.wire.Alg != "" && !slices.Contains(fitting, e.wire.Alg) {
		return fmt.Errorf("%w: %q", ErrAlgorithm, e.wire.Alg)
	}
	e.key.Public = public
	if e.key.Certificates, err = parseCertificates(m["x5c"]); err != nil {
		return err
	}
	return e.normalize()
}

// normalize replaces the members that were read with those that encodePublic
// makes, and checks the certificate thumbprint against the certificate.
func (e *entry) normalize() error {
	wire, err := encodePublic(e.key.Public)
	if err != nil {
		return err
	}
	wire.Kid, wire.Use, wire.Alg = e.wire.Kid, e.wire.Use, e.wire.Alg
	if wire, err = wire.withCertificates(e.key); err != nil {
		return err
	}
	if given := e.wire.X5tS256; given != "" && wire.X5tS256 != "" && given != wire.X5tS256 {
		return fmt.Errorf("%w: x5t#S256 does not match the certificate in x5c", ErrCertificateKey)
	}
	e.wire = wire
	return nil
}

func parseCertificates(raw jsontext.Value) ([]*x509.Certificate, error) {
	if raw == nil {
		return nil, nil
	}
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil || len(texts) == 0 {
		return nil, fmt.Errorf("%w: x5c is not a list of certificates", ErrFormat)
	}
	certificates := make([]*x509.Certificate, 0, len(texts))
	for i, text := range texts {
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d of x5c is not base64", ErrFormat, i+1)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d of x5c is not a certificate", ErrFormat, i+1)
		}
		certificates = append(certificates, certificate)
	}
	return certificates, nil
}
