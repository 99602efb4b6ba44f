package keyadmin

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/jwks"
)

// entraFederated is the profile of assertions that Entra verifies with a JWKS.
const entraFederated = "entra-federated"

// Federation describes assertions that Entra can verify with a published JWKS.
type Federation struct {
	Name, Issuer, Subject, Audience string
}

// Federations returns the federations that the grants of a configuration need
// for a key set. It returns none if c is nil.
func Federations(c *config.Config, set string) []Federation {
	if c == nil {
		return nil
	}
	var all []Federation
	for _, client := range c.PolicyClients() {
		for _, rule := range client.Grants {
			if rule.Key != set || rule.Profile != entraFederated {
				continue
			}
			for _, audience := range rule.Audiences {
				all = append(all, Federation{client.Name + "-" + rule.Name, rule.Issuer, rule.Subject, audience})
			}
		}
	}
	return all
}

// keyCredential is Microsoft Graph's form of an uploaded certificate.
type keyCredential struct {
	Type        string `json:"type"`
	Usage       string `json:"usage"`
	DisplayName string `json:"displayName"`
	Start       string `json:"startDateTime"`
	End         string `json:"endDateTime"`
	Key         string `json:"key"`
}

// federatedCredential is Microsoft Graph's form of a Federation.
type federatedCredential struct {
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
}

// Entra returns the JSON for Microsoft Graph to trust the key: its certificate,
// for an application's keyCredentials, and federated identity credentials,
// which need no certificate. It refuses a key that has neither, and an expired
// certificate.
func (k Key) Entra(federations []Federation, now time.Time) ([]byte, error) {
	if len(k.Certificates) == 0 && len(federations) == 0 {
		return nil, fmt.Errorf("%w: Entra trusts a certificate or a published JWKS, never a bare public key; store a certificate with assertd key import-cert, or set jwks.issuer and add a grant with the profile entra-federated", ErrNoCertificate)
	}
	if err := jwks.CheckCertificates(k.Pair.Public(), k.Certificates, now); err != nil {
		return nil, err
	}
	document := struct {
		Certificates []keyCredential       `json:"keyCredentials,omitempty"`
		Federated    []federatedCredential `json:"federatedIdentityCredentials,omitempty"`
	}{}
	if len(k.Certificates) > 0 {
		document.Certificates = []keyCredential{credentialOf(k.Certificates[0])}
	}
	for _, f := range federations {
		document.Federated = append(document.Federated, federatedCredential{f.Name, f.Issuer, f.Subject, []string{f.Audience}})
	}
	return indent(document)
}

func credentialOf(c *x509.Certificate) keyCredential {
	return keyCredential{
		Type: "AsymmetricX509Cert", Usage: "Verify", DisplayName: c.Subject.String(),
		Start: c.NotBefore.UTC().Format(time.RFC3339), End: c.NotAfter.UTC().Format(time.RFC3339),
		Key: base64.StdEncoding.EncodeToString(c.Raw),
	}
}
