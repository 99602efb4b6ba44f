package hsm

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/jose"
)

// Certificate is an X.509 certificate on the token.
type Certificate struct {
	Label       string
	ID          []byte // the CKA_ID, the same as its key's
	Certificate *x509.Certificate

	handle pkcs11.ObjectHandle
}

// Certificates lists the token's X.509 certificates. Objects that don't parse
// are left out.
func (t *Token) Certificates() (found []Certificate, err error) {
	t.admin.RLock()
	defer t.admin.RUnlock()
	err = t.sessions.with(context.Background(), func(s session) error {
		found, err = s.certificates(nil)
		return err
	})
	return found, err
}

// StoreCertificate stores a certificate for the key on the token, under the
// key's label and ID, and destroys older ones for the same key. It refuses a
// certificate for another key, and a key without an ID, since the certificate
// couldn't be found again. A token that can't store certificates returns an
// *Error.
func (t *Token) StoreCertificate(k *Key, certificate *x509.Certificate) error {
	switch {
	case k.token != t:
		return fmt.Errorf("hsm: key %s isn't on this token", k)
	case !jose.Certifies(certificate, k.public):
		return fmt.Errorf("hsm: the certificate for %q isn't for key %s: the public keys differ", certificate.Subject, k)
	case len(k.id) == 0:
		return fmt.Errorf("hsm: key %s has no CKA_ID, so no certificate on the token can belong to it; "+
			"keep the certificate in a file", k)
	}
	serial, err := asn1.Marshal(certificate.SerialNumber)
	if err != nil {
		return fmt.Errorf("hsm: serial number of the certificate for %q: %w", certificate.Subject, err)
	}
	t.admin.Lock()
	defer t.admin.Unlock()
	return t.sessions.with(context.Background(), func(s session) error {
		older, err := s.certificates(k.id)
		if err != nil {
			return err
		}
		if err := s.createCertificate(k, certificate, serial); err != nil {
			return err
		}
		return s.destroyCertificates(k, older)
	})
}

func (s session) createCertificate(k *Key, certificate *x509.Certificate, serial []byte) error {
	_, err := s.ctx.CreateObject(s.handle, tokenObjects(pkcs11.CKO_CERTIFICATE, append(named(k.label, k.id),
		pkcs11.NewAttribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SUBJECT, certificate.RawSubject),
		pkcs11.NewAttribute(pkcs11.CKA_ISSUER, certificate.RawIssuer),
		pkcs11.NewAttribute(pkcs11.CKA_SERIAL_NUMBER, serial),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, certificate.Raw),
	)...))
	return callError("C_CreateObject", err)
}

// destroyCertificates keeps certificates of other keys: an issuer's may be
// stored under the same ID.
func (s session) destroyCertificates(k *Key, certificates []Certificate) error {
	for _, certificate := range certificates {
		if !jose.Certifies(certificate.Certificate, k.public) {
			continue
		}
		if err := s.destroy(certificate.handle); err != nil {
			return err
		}
	}
	return nil
}

// certificates lists the certificates with the ID, or all if it is empty.
func (s session) certificates(id []byte) (found []Certificate, err error) {
	handles, err := s.find(tokenObjects(pkcs11.CKO_CERTIFICATE, named("", id)...))
	if err != nil {
		return nil, err
	}
	for _, handle := range handles {
		values, err := s.attributes(handle, pkcs11.CKA_VALUE, pkcs11.CKA_LABEL, pkcs11.CKA_ID)
		if err != nil {
			return nil, err
		}
		if certificate, err := x509.ParseCertificate(values[0]); err == nil {
			found = append(found, Certificate{string(values[1]), values[2], certificate, handle})
		}
	}
	return found, nil
}
