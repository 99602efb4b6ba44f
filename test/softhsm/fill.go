package softhsm

import (
	"crypto/rand"
	"encoding/binary"
	"os"
	"testing"

	"github.com/miekg/pkcs11"
)

// memory is a file system in memory. SoftHSM syncs every object to the disk,
// which would make a thousand key pairs take minutes.
const memory = "/dev/shm"

// NewFilled is New with n P-256 key pairs that assertd accepts, generated in
// one login: a thousand take a few seconds. Label names the nth, from 0. Call
// it before anything else uses the test's temporary directory, and with the
// module closed.
func NewFilled(t testing.TB, n int, label func(int) string) *Token {
	t.Helper()
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		t.Setenv("TMPDIR", memory)
	}
	token := New(t)
	token.fill(n, label)
	return token
}

func (k *Token) fill(n int, label func(int) string) {
	k.t.Helper()
	k.session(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) { k.must(Fill(ctx, session, n, label)) })
}

// Fill generates n P-256 key pairs that can only sign, in a session that is
// logged in. Label names the nth, from 0.
func Fill(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, n int, label func(int) string) error {
	for i := range n {
		if _, _, err := generate(ctx, session, label(i), binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			return err
		}
	}
	return nil
}

func (k *Token) generate(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, label string, id []byte, more ...*pkcs11.Attribute) (public, private pkcs11.ObjectHandle) {
	k.t.Helper()
	public, private, err := generate(ctx, session, label, id, more...)
	k.must(err)
	return public, private
}

// generate generates a P-256 key pair. Its private key has more attributes.
func generate(ctx *pkcs11.Ctx, session pkcs11.SessionHandle, label string, id []byte, more ...*pkcs11.Attribute) (public, private pkcs11.ObjectHandle, err error) {
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)}
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} // the OID in DER
	publicTemplate, privateTemplate := pairTemplates(label, id)
	publicTemplate = append(publicTemplate, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256))
	return ctx.GenerateKeyPair(session, mechanism, publicTemplate, append(privateTemplate, more...))
}

// Generate generates P-256 key pairs that assertd accepts, whatever else has
// their labels. The module in this process must not be open.
func (k *Token) Generate(labels ...string) {
	k.t.Helper()
	k.session(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		for _, label := range labels {
			k.generate(ctx, session, label, []byte(rand.Text()))
		}
	})
}

// GenerateDeriving generates a P-256 key pair that can do more than sign. The
// module in this process must not be open.
func (k *Token) GenerateDeriving(label string) {
	k.t.Helper()
	k.session(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		k.generate(ctx, session, label, []byte(rand.Text()), pkcs11.NewAttribute(pkcs11.CKA_DERIVE, true))
	})
}

// GenerateMismatched makes a private key and the public key of another pair
// look like a pair. The module in this process must not be open.
func (k *Token) GenerateMismatched(label string) {
	k.t.Helper()
	k.session(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		id := []byte(rand.Text())
		unused, _ := k.generate(ctx, session, label, id)
		public, other := k.generate(ctx, session, label, []byte(rand.Text()))
		k.must(ctx.DestroyObject(session, unused))
		k.must(ctx.DestroyObject(session, other))
		k.must(ctx.SetAttributeValue(session, public, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, id)}))
	})
}

// GeneratePSS generates an RSA-2048 key pair that signs with RSA-PSS only
// (CKA_ALLOWED_MECHANISMS). The module in this process must not be open.
func (k *Token) GeneratePSS(label string) {
	k.t.Helper()
	k.session(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		public, private := pairTemplates(label, []byte(label))
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
		allowed := binary.NativeEndian.AppendUint64(nil, pkcs11.CKM_RSA_PKCS_PSS) // a CK_MECHANISM_TYPE
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_ALLOWED_MECHANISMS, allowed))
		mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)}
		_, _, err := ctx.GenerateKeyPair(session, mechanism, public, private)
		k.must(err)
	})
}

// Objects counts the token's objects.
func (k *Token) Objects() (n int) {
	k.t.Helper()
	k.session(func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		k.must(ctx.FindObjectsInit(session, nil))
		handles, _, err := ctx.FindObjects(session, 100)
		k.must(err)
		n = len(handles)
	})
	return n
}

// session opens the module and a session that is logged in.
func (k *Token) session(use func(*pkcs11.Ctx, pkcs11.SessionHandle)) {
	k.t.Helper()
	ctx := pkcs11.New(k.Module)
	if ctx == nil {
		k.t.Fatalf("cannot load %s", k.Module)
	}
	defer ctx.Destroy()
	k.must(ctx.Initialize())
	defer func() { k.must(ctx.Finalize()) }()
	use(ctx, k.login(ctx))
}

func (k *Token) login(ctx *pkcs11.Ctx) pkcs11.SessionHandle {
	k.t.Helper()
	slots, err := ctx.GetSlotList(true)
	k.must(err)
	for _, slot := range slots {
		if info, err := ctx.GetTokenInfo(slot); err != nil || info.SerialNumber != k.Serial {
			continue
		}
		session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		k.must(err)
		k.must(ctx.Login(session, pkcs11.CKU_USER, k.PIN))
		return session
	}
	k.t.Fatalf("no slot has the token with serial %s", k.Serial)
	return 0
}

func (k *Token) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// pairTemplates are the attributes of a key pair that can only sign.
func pairTemplates(label string, id []byte) (public, private []*pkcs11.Attribute) {
	names := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, id),
	}
	public, private = names[:3:3], names[:3:3]
	for attribute, value := range map[uint]bool{
		pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_SIGN: true, pkcs11.CKA_EXTRACTABLE: false,
		pkcs11.CKA_DECRYPT: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false, pkcs11.CKA_SIGN_RECOVER: false,
	} {
		private = append(private, pkcs11.NewAttribute(attribute, value))
	}
	return public, private
}
