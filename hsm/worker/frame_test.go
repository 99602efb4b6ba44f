package worker

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/assertd/assertd/hsm"
)

// FuzzFrames shows that the decoder takes any bytes without harm, and that what it accepts means one thing: written again it is the same bytes.
func FuzzFrames(f *testing.F) {
	request := signRequest{key: KeyRef{1}, hash: crypto.SHA256, digest: make([]byte, 32)}
	failure := newErrorReply(&hsm.Error{Op: "C_Sign", Code: 0x30})
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 4, 1, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add(appendFrame(nil, kindPing, 1))
	f.Add(request.appendFrame(nil, 7))
	f.Add(signReply{wait: 1, module: 2, signature: []byte("signature")}.appendFrame(nil, 7))
	f.Add(failure.appendFrame(appendFrame(nil, kindReady, 0, []byte("[]")), 9))
	hello, err := encodeHello(hello{Depth: 8, PIN: hsm.PINSource{Value: hsm.NewPIN([]byte("1234"))}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(appendFrame(nil, kindHello, 0, hello))
	f.Fuzz(func(t *testing.T, stream []byte) {
		fr := newFrameReader(bytes.NewReader(stream), maxRequest)
		var again []byte
		for {
			f, err := fr.next()
			if err != nil {
				break
			}
			again = appendFrame(again, f.kind, f.id, f.payload)
			checkPayload(t, f)
		}
		if !bytes.HasPrefix(stream, again) {
			t.Errorf("read %x, wrote %x", stream, again)
		}
	})
}

// checkPayload holds each payload that is accepted to the same.
func checkPayload(t *testing.T, f frame) {
	var again []byte
	switch f.kind {
	case kindSign:
		r, err := parseSignRequest(f.payload)
		if err != nil {
			return
		}
		again = r.appendFrame(nil, f.id)
	case kindSignature:
		r, err := parseSignReply(f.payload)
		if err != nil {
			return
		}
		again = r.appendFrame(nil, f.id)
	case kindError:
		r, err := parseErrorReply(f.payload)
		if err != nil {
			return
		}
		_ = r.err().Error()
		again = r.appendFrame(nil, f.id)
	case kindHello:
		_, _ = decodeHello(bytes.Clone(f.payload))
		return
	default:
		_, _ = decodeInventory(f.payload, "")
		return
	}
	if want := appendFrame(nil, f.kind, f.id, f.payload); !bytes.Equal(again, want) {
		t.Errorf("payload %x is written as %x", want, again)
	}
}

func TestFramesArriveInPieces(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 3*readerSize)
	var stream []byte
	for id, payload := range [][]byte{nil, []byte("one"), large, []byte("two")} {
		stream = appendFrame(stream, kindSign, uint32(id), payload)
	}
	for name, r := range map[string]io.Reader{
		"whole":       bytes.NewReader(stream),
		"byte bybyte": iotest.OneByteReader(bytes.NewReader(stream)),
		"data+err":    iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		fr := newFrameReader(r, maxFrame)
		for id, want := range [][]byte{nil, []byte("one"), large, []byte("two")} {
			f, err := fr.next()
			if err != nil || f.id != uint32(id) || !bytes.Equal(f.payload, want) {
				t.Fatalf("%s: frame %d: id %d, %d bytes, %v", name, id, f.id, len(f.payload), err)
			}
		}
		if _, err := fr.next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	whole := appendFrame(nil, kindPing, 1, make([]byte, 10))
	for name, stream := range map[string][]byte{
		"too long":          {0, 2, 0, 1, 5, 0, 0, 0, 1},
		"too short":         {0, 0, 0, 4, 5, 0, 0, 0},
		"ends in length":    whole[:2],
		"ends in header":    whole[:6],
		"ends in payload":   whole[:len(whole)-1],
		"ends, large frame": append([]byte{0, 1, 255, 255}, make([]byte, 100)...),
	} {
		if _, err := newFrameReader(bytes.NewReader(stream), maxRequest).next(); !errors.Is(err, errFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The PIN is in the payload once, and nowhere once the payload was decoded.
func TestHelloCarriesThePIN(t *testing.T) {
	secret := "a-pin-that-is-nowhere-else"
	payload, err := encodeHello(hello{Depth: 4, HSM: hsm.Config{Label: "l"}, PIN: hsm.PINSource{Value: hsm.NewPIN([]byte(secret))}})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(payload), secret); n != 1 {
		t.Errorf("the PIN is in the payload %d times", n)
	}
	h, err := decodeHello(payload)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(h.PIN.Value.Reveal()); got != secret || h.HSM.Label != "l" {
		t.Errorf("got another PIN or configuration: %+v", h)
	}
	if bytes.Contains(payload, []byte(secret)) {
		t.Error("the payload still holds the PIN")
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", h, h), secret) {
		t.Error("the settings print the PIN")
	}
}

func TestErrorsCross(t *testing.T) {
	for _, sentinel := range sentinels[1:] {
		reply, err := parseErrorReply(payloadOf(t, newErrorReply(fmt.Errorf("outer: %w", sentinel))))
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(reply.err(), sentinel) {
			t.Errorf("%v arrives as %v", sentinel, reply.err())
		}
	}
	sent := newErrorReply(fmt.Errorf("outer: %w", &hsm.Error{Op: "C_Sign", Code: 0x32}))
	reply, err := parseErrorReply(payloadOf(t, sent))
	if err != nil {
		t.Fatal(err)
	}
	var detail *hsm.Error
	if !errors.As(reply.err(), &detail) || *detail != (hsm.Error{Op: "C_Sign", Code: 0x32}) || !reply.fatal || !errors.Is(reply.err(), hsm.ErrTokenGone) {
		t.Errorf("the module's answer arrives as %+v", reply)
	}
}

func payloadOf(t *testing.T, m message) []byte {
	t.Helper()
	f, err := newFrameReader(bytes.NewReader(m.appendFrame(nil, 1)), maxFrame).next()
	if err != nil {
		t.Fatal(err)
	}
	return f.payload
}

func TestPauseGrowsToItsLimit(t *testing.T) {
	if pause(0) != 0 {
		t.Error("the first attempt waits")
	}
	for n := 1; n < 100; n++ {
		full := min(firstPause<<min(n-1, 10), longestPause)
		if d := pause(n); d < full/2 || d > full || d > time.Second {
			t.Errorf("after %d failures %v", n, d)
		}
	}
}
