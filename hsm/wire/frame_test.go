package wire

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/assertd/assertd/hsm"
)

// FuzzFrames shows that the decoder takes any bytes without harm, and that what
// it accepts means one thing: written again it is the same bytes.
func FuzzFrames(f *testing.F) {
	request := SignRequest{Key: KeyRef{1}, hash: crypto.SHA256, Digest: make([]byte, 32)}
	failure := NewErrorReply(&hsm.Error{Op: "C_Sign", Code: 0x30})
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 4, 1, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add(AppendFrame(nil, KindPing, 1))
	f.Add(request.AppendFrame(nil, 7))
	f.Add(SignRequest{Key: KeyRef{1}, hash: crypto.SHA256, scheme: schemePSS, Message: []byte("message")}.AppendFrame(nil, 7))
	f.Add(SignReply{Wait: 1, Module: 2, Signature: []byte("signature")}.AppendFrame(nil, 7))
	f.Add(failure.AppendFrame(AppendFrame(nil, KindReady, 0, []byte("[]")), 9))
	hello, err := Hello{Depth: 8, PIN: hsm.PINSource{Value: hsm.NewPIN([]byte("1234"))}}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(AppendFrame(nil, KindHello, 0, hello))
	f.Fuzz(func(t *testing.T, stream []byte) {
		fr := NewReader(bytes.NewReader(stream), MaxRequest)
		var again []byte
		for {
			f, err := fr.Next()
			if err != nil {
				break
			}
			again = AppendFrame(again, f.Kind, f.ID, f.Payload)
			checkPayload(t, f)
		}
		if !bytes.HasPrefix(stream, again) {
			t.Errorf("read %x, wrote %x", stream, again)
		}
	})
}

// checkPayload requires the same of each accepted payload.
func checkPayload(t *testing.T, f Frame) {
	var again []byte
	switch f.Kind {
	case KindSign:
		r, err := ParseSignRequest(f.Payload)
		if err != nil {
			return
		}
		again = r.AppendFrame(nil, f.ID)
	case KindSignature:
		r, err := ParseSignReply(f.Payload)
		if err != nil {
			return
		}
		again = r.AppendFrame(nil, f.ID)
	case KindError:
		r, err := ParseErrorReply(f.Payload)
		if err != nil {
			return
		}
		_ = r.Err().Error()
		again = r.AppendFrame(nil, f.ID)
	case KindHello:
		_, _ = DecodeHello(bytes.Clone(f.Payload))
		return
	default:
		_, _ = DecodeInventory(f.Payload, "")
		return
	}
	if want := AppendFrame(nil, f.Kind, f.ID, f.Payload); !bytes.Equal(again, want) {
		t.Errorf("payload %x is written as %x", want, again)
	}
}

func TestFramesArriveInPieces(t *testing.T) {
	large := bytes.Repeat([]byte("x"), 3*readerSize)
	var stream []byte
	for id, payload := range [][]byte{nil, []byte("one"), large, []byte("two")} {
		stream = AppendFrame(stream, KindSign, uint32(id), payload)
	}
	for name, r := range map[string]io.Reader{
		"whole":        bytes.NewReader(stream),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"data+err":     iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		fr := NewReader(r, MaxReply)
		for id, want := range [][]byte{nil, []byte("one"), large, []byte("two")} {
			f, err := fr.Next()
			if err != nil || f.ID != uint32(id) || !bytes.Equal(f.Payload, want) {
				t.Fatalf("%s: frame %d: id %d, %d bytes, %v", name, id, f.ID, len(f.Payload), err)
			}
		}
		if _, err := fr.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestFramesThatAreRefused(t *testing.T) {
	whole := AppendFrame(nil, KindPing, 1, make([]byte, 10))
	for name, stream := range map[string][]byte{
		"too long":          {0, 2, 0, 1, 5, 0, 0, 0, 1},
		"too short":         {0, 0, 0, 4, 5, 0, 0, 0},
		"ends in length":    whole[:2],
		"ends in header":    whole[:6],
		"ends in payload":   whole[:len(whole)-1],
		"ends, large frame": append([]byte{0, 1, 255, 255}, make([]byte, 100)...),
	} {
		if _, err := NewReader(bytes.NewReader(stream), MaxRequest).Next(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The PIN is in the payload once, and nowhere once the payload was decoded.
func TestHelloCarriesThePIN(t *testing.T) {
	secret := "a-pin-that-is-nowhere-else"
	payload, err := Hello{Depth: 4, HSM: hsm.Config{Label: "l"}, PIN: hsm.PINSource{Value: hsm.NewPIN([]byte(secret))}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(payload), secret); n != 1 {
		t.Errorf("the PIN is in the payload %d times", n)
	}
	h, err := DecodeHello(payload)
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
		reply, err := ParseErrorReply(payloadOf(t, NewErrorReply(fmt.Errorf("outer: %w", sentinel))))
		if err != nil {
			t.Fatal(err)
		}
		if !errors.Is(reply.Err(), sentinel) {
			t.Errorf("%v arrives as %v", sentinel, reply.Err())
		}
	}
	sent := NewErrorReply(fmt.Errorf("outer: %w", &hsm.Error{Op: "C_Sign", Code: 0x32}))
	reply, err := ParseErrorReply(payloadOf(t, sent))
	if err != nil {
		t.Fatal(err)
	}
	var detail *hsm.Error
	if !errors.As(reply.Err(), &detail) || *detail != (hsm.Error{Op: "C_Sign", Code: 0x32}) || !reply.Fatal || !errors.Is(reply.Err(), hsm.ErrTokenGone) {
		t.Errorf("the module's answer arrives as %+v", reply)
	}
}

func payloadOf(t *testing.T, m Message) []byte {
	t.Helper()
	f, err := NewReader(bytes.NewReader(m.AppendFrame(nil, 1)), MaxReply).Next()
	if err != nil {
		t.Fatal(err)
	}
	return f.Payload
}
