package softhsm

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/miekg/pkcs11"
)

// memory is a file system in memory. SoftHSM syncs every object to the disk, which
// would make a thousand key pairs take minutes.
const memory = "/dev/shm"

// NewFilled is New with n P-256 key pairs that assertd accepts, generated in one
// login: a thousand take a few seconds. Label names the nth, from 0. Call it before
// anything else uses the test's temporary directory, and with the module closed.
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
	ctx := pkcs11.New(k.Module)
	if ctx == nil {
		k.t.Fatalf("cannot load %s", k.Module)
	}
	defer ctx.Destroy()
	k.must(ctx.Initialize())
	defer func() { k.must(ctx.Finalize()) }()
	session := k.login(ctx)
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)}
	for i := range n {
		public, private := pairTemplates(label(i), binary.BigEndian.AppendUint32(nil, uint32(i)))
		_, _, err := ctx.GenerateKeyPair(session, mechanism, public, private)
		k.must(err)
	}
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
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} // the OID in DER
	public = append(names[:3:3], pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256))
	private = names[:3:3]
	for attribute, value := range map[uint]bool{
		pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_SIGN: true, pkcs11.CKA_EXTRACTABLE: false,
		pkcs11.CKA_DECRYPT: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false, pkcs11.CKA_SIGN_RECOVER: false,
	} {
		private = append(private, pkcs11.NewAttribute(attribute, value))
	}
	return public, private
}
