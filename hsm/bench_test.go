package hsm_test

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/ThalesGroup/crypto11"
	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
)

// BenchmarkSign compares signing with token objects, session copies, and
// crypto11 with few sessions as it recommends, each with one caller and with
// one caller per session.
func BenchmarkSign(b *testing.B) {
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
		b.Run("object/"+string(typ), func(b *testing.B) { benchmarkSign(b, typ) })
		b.Run("copy/"+string(typ), func(b *testing.B) { benchmarkSign(b, typ, withCopies) })
	}
	b.Run("crypto11/"+string(hsm.P256), benchmarkCrypto11)
}

func benchmarkSign(b *testing.B, typ hsm.KeyType, change ...func(*hsm.Config)) {
	token, _ := open(b, change...)
	run(b, generate(b, token, "bench", typ), typ)
}

func benchmarkCrypto11(b *testing.B) {
	soft := softhsm.New(b)
	token := reopen(b, soft)
	generate(b, token, "bench", hsm.P256)
	if err := token.Close(); err != nil {
		b.Fatal(err)
	}
	c, err := crypto11.Configure(&crypto11.Config{Path: soft.Module, TokenLabel: soft.Label, Pin: soft.PIN, MaxSessions: 5})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	key, err := c.FindKeyPair(nil, []byte("bench"))
	if err != nil {
		b.Fatal(err)
	}
	run(b, key, hsm.P256)
}

func run(b *testing.B, key crypto.Signer, typ hsm.KeyType) {
	digest, opts := sha256.Sum256([]byte("a message")), crypto.SignerOpts(crypto.SHA256)
	if typ == hsm.Ed25519 {
		opts = crypto.Hash(0)
	}
	sign := func(b *testing.B) {
		if _, err := key.Sign(nil, digest[:], opts); err != nil {
			b.Error(err)
		}
	}
	b.Run("1", func(b *testing.B) {
		for b.Loop() {
			sign(b)
		}
	})
	b.Run("n", func(b *testing.B) {
		b.SetParallelism(2)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				sign(b)
			}
		})
	})
}

// BenchmarkRefresh is the cost of Refresh with session copies and 200 objects
// on the token.
func BenchmarkRefresh(b *testing.B) {
	token, _ := open(b, withCopies)
	for i := range 100 {
		key := generate(b, token, fmt.Sprint("key ", i), hsm.P256)
		if i == 0 {
			if err := key.Prove(b.Context(), ""); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		if err := token.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
