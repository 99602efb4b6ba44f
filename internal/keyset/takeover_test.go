package keyset_test

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/test/softhsm"
)

// plan is the schedule of the env's key set.
func (b *env) plan() keyset.Plan {
	b.t.Helper()
	plan, ok := b.keys.Ring().Plan("payments")
	if !ok {
		b.t.Fatal("no such key set")
	}
	return plan
}

// certify puts a certificate for each version into the set's certificate file.
func (b *env) certify() {
	b.t.Helper()
	ca := newAuthority(b.t, "CA", nil)
	certificates := []*x509.Certificate{ca.certificate}
	for _, v := range b.plan().Versions {
		key, _ := b.keys.Ring().Key("payments", v.Kid)
		certificates = append(certificates, ca.issue(b.t, "payments", key.Public, start.AddDate(2, 0, 0)))
	}
	b.sets[0].Certificates = certificates
	b.setRing()
}

// The daemon makes a version that it can't get a certificate for: it says so
// from the start, and the former version keeps signing until the certificate is
// there.
func TestAutoTakeoverWaitsForTheCertificate(t *testing.T) {
	b := newEnv(t, newPool(t, softhsm.New(t)), true)
	b.sets[0].Rotation.NeedsCertificate = true
	first := b.generate(0)
	b.says(0, "a key version needs a certificate")
	b.says(day - 1) // once a day is enough
	b.certify()
	b.says(90*day+1, "generated the next version of a key set", "a key version needs a certificate")
	if plan := b.plan(); plan.Signing != first || len(b.keys.Ring().Uncertified()) != 1 {
		t.Errorf("%+v", plan)
	}
	b.says(92*day, "a key version needs a certificate")
	if plan := b.plan(); plan.Signing != first {
		t.Errorf("after publish_before, %s signs: %+v", plan.Signing, plan)
	}
	b.certify()
	plan := b.plan()
	i := slices.IndexFunc(plan.Versions, func(v keyset.PlannedVersion) bool { return v.Kid == first })
	if plan.Signing == first || plan.Signing == "" || plan.Versions[i].State == keyset.Signing || b.keys.Ring().Uncertified() != nil {
		t.Errorf("with a certificate, %s signs: %+v", plan.Signing, plan)
	}
}

// Without a certificate, a revoked version still doesn't keep signing.
func TestRevokedVersionDoesNotSignOnForWantOfACertificate(t *testing.T) {
	b := newEnv(t, newPool(t, softhsm.New(t)), false)
	b.sets[0].Rotation.NeedsCertificate = true
	first, second := b.generate(0), b.generate(2*day)
	b.at(0)
	b.certify()
	b.sets[0].Certificates = b.sets[0].Certificates[:2] // the CA's and the first's
	b.setRing()
	b.at(10 * day)
	if plan := b.plan(); plan.Signing != first {
		t.Fatalf("%+v", plan)
	}
	b.sets[0].Rotation.Revoke = []string{first}
	b.at(10 * day)
	if plan := b.plan(); plan.Signing != second {
		t.Errorf("%+v", plan)
	}
}
