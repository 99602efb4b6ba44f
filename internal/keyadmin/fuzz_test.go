package keyadmin

import (
	"crypto/ed25519"
	"crypto/x509"
	"testing"
)

// FuzzNames makes certificate signing requests (RFC 2986) for names that a
// person may type, and reads them back: what is accepted is in the request.
func FuzzNames(f *testing.F) {
	f.Add("CN=payments,O=Example Ltd,C=GB", "payments.example", "spiffe://example/p", "a@example.com", "192.0.2.1")
	f.Add(`CN=a\,b,UID=x`, "", "", "", "::1")
	f.Add("CN=\u202e", "*.example", "http://[::1", "<a@b>", "1.2.3")
	f.Add("cn = x", "x\x00y", "urn:x", "a", "")
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	f.Fuzz(func(t *testing.T, subject, dns, uri, email, ip string) {
		n := Names{Subject: subject, DNS: given(dns), URIs: given(uri), Emails: given(email), IPs: given(ip)}
		template, err := n.request()
		if err != nil {
			return
		}
		der, err := x509.CreateCertificateRequest(nil, template, key)
		if err != nil {
			return
		}
		request, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatalf("%+v makes a request that can't be read: %v", n, err)
		}
		if string(request.RawSubject) != string(template.RawSubject) || len(request.DNSNames) != len(n.DNS) ||
			len(request.URIs) != len(n.URIs) || len(request.EmailAddresses) != len(n.Emails) || len(request.IPAddresses) != len(n.IPs) {
			t.Fatalf("%+v became %+v", n, request)
		}
	})
}

func given(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
