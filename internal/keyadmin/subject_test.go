package keyadmin

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

// TestSubjectForms: people paste what they gave to openssl.
func TestSubjectForms(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{"CN=payments,O=Example Ltd,C=GB", "CN=payments,O=Example Ltd,C=GB"},
		{"/C=GB/O=Example Ltd/CN=payments", "CN=payments,O=Example Ltd,C=GB"},
		{`/O=A\/B, Inc./CN=a`, `CN=a,O=A/B\, Inc.`},
	} {
		der, err := ParseSubject(test.given)
		var name pkix.RDNSequence
		if err == nil {
			_, err = asn1.Unmarshal(der, &name)
		}
		if err != nil || name.String() != test.want {
			t.Errorf("%s: %s, %v, want %s", test.given, name, err, test.want)
		}
	}
	for given, want := range map[string]string{
		"/CN=a/emailAddress=a@example.com": "\x16\x0da@example.com", "CN=a,DC=example": "\x16\x07example",
	} {
		if der, err := ParseSubject(given); err != nil || !bytes.Contains(der, []byte(want)) {
			t.Errorf("%s: %x, %v, which has no IA5String %q", given, der, err, want)
		}
	}
}
