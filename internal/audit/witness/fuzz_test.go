package witness

import (
	"errors"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
)

// FuzzAnswer gives a client what a witness may answer. Nothing passes for a
// cosignature that the witness's key did not make, and nothing stops the log
// that the protocol does not allow to.
func FuzzAnswer(f *testing.F) {
	const text = "example.com/log\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	good := cosign(testKey(1), text, time.Unix(1700000000, 0))
	f.Add([]byte(good), int64(1), int64(3))
	f.Add([]byte(cosign(testKey(2), text, time.Unix(1700000000, 0))), int64(0), int64(3))
	f.Add([]byte(strings.Repeat(good, 3)), int64(3), int64(3))
	f.Add([]byte("12\n"), int64(1), int64(3))
	f.Add([]byte("-1\n"), int64(1), int64(3))
	f.Add([]byte("\u2014 witness.example.com AAAA\n\n"), int64(0), int64(0))
	signer, err := torchwood.NewCosignatureSigner(witnessName, testKey(1))
	if err != nil {
		f.Fatal(err)
	}
	key, err := ParseKey(signer.Verifier().String())
	if err != nil {
		f.Fatal(err)
	}
	c := client{Config: Config{Key: key}}
	f.Fuzz(func(t *testing.T, answer []byte, old, sent int64) {
		cosignature, err := c.open(answer, []byte(text+"\n\u2014 example.com/log AAAA\n"))
		if err == nil && (!strings.Contains(string(answer), strings.TrimSpace(cosignature.Line)) || cosignature.Line != good) {
			t.Fatalf("%q became %q", answer, cosignature.Line)
		}
		var size sizeError
		switch err := conflict(answer, old, sent); {
		case err == nil:
			t.Fatal("a conflict returned no error")
		case errors.Is(err, errSplit) && (old != sent || old <= 0):
			t.Fatalf("%q for %d to %d became a split view", answer, old, sent)
		case errors.As(err, &size) && size < 0:
			t.Fatalf("%q became the size %d", answer, size)
		}
	})
}
