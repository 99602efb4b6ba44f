package server

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

func TestDecodeAssertion(t *testing.T) {
	for body, want := range map[string]ipc.AssertionRequest{
		`{}`:                       {},
		" \t\r\n{ }\n":             {},
		`{"grant":"bank"}`:         {Grant: "bank"},
		`{"gr\u0061nt":"b\u00e9"}`: {Grant: "bé"},
		`{"lifetime_seconds":60,"audience":"https://a/?b&c=<>"}`: {LifetimeSeconds: 60, Audience: "https://a/?b&c=<>"},
		`{"claims":{}}`: {Claims: map[string]json.RawMessage{}},
		`{"claims":{"a":1e400,"b":[null,{"c":"x"}],"d":""}}`: {Claims: map[string]json.RawMessage{
			"a": json.RawMessage("1e400"), "b": json.RawMessage(`[null,{"c":"x"}]`), "d": json.RawMessage(`""`)}},
		`{"claims":{"a":` + nested(ipc.MaxClaimDepth) + `}}`: {Claims: map[string]json.RawMessage{"a": json.RawMessage(nested(ipc.MaxClaimDepth))}},
		`{"claims":{"a":"[[[[[[[[[[\"[[[["}}`:                {Claims: map[string]json.RawMessage{"a": json.RawMessage(`"[[[[[[[[[[\"[[[["`)}},
	} {
		got, err := decodeAssertion([]byte(body))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v %+v", body, err, got)
		}
	}
}

func nested(depth int) string {
	return strings.Repeat(`{"x":[`, depth/2) + "0" + strings.Repeat("]}", depth/2)
}

// TestMalformed lists what other JSON decoders accept, with a part of the
// detail.
func TestMalformed(t *testing.T) {
	for body, want := range map[string]string{
		"":                                      "empty",
		"  ":                                    "empty",
		"null":                                  "must be an object",
		"[]":                                    "must be an object",
		`"x"`:                                   "must be an object",
		"{":                                     "too early",
		`{"grant":"a"`:                          "too early",
		`{"grant"}`:                             "not JSON",
		`{"grant":"a",}`:                        "not JSON",
		`{grant:"a"}`:                           "not JSON",
		`{'grant':'a'}`:                         "not JSON",
		`{}{}`:                                  "after the JSON document",
		`{} x`:                                  "after the JSON document",
		"{}\x00":                                "after the JSON document",
		"\ufeff{}":                              "not JSON",
		`{"grant":"a","grant":"b"}`:             "twice",
		`{"grant":"a","gr\u0061nt":"b"}`:        "twice",
		`{"claims":{"a":1,"a":2}}`:              "twice",
		`{"claims":{"a":{"b":1,"b":2}}}`:        "twice",
		`{"claims":{"a":[{"b":1,"\u0062":2}]}}`: "twice",
		`{"Grant":"a"}`:                         "lower case",
		`{"GRANT":"a"}`:                         "lower case",
		`{"grant":"a","Grant":"b"}`:             "lower case",
		`{"lifetime_second\u017f":1}`:           "lower case", // ſ folds to s
		`{"":"a"}`:                              "lower case",
		`{"extra":1}`:                           `"/extra" is unknown`,
		`{"grant":null}`:                        `"/grant" must be a string`,
		`{"grant":1}`:                           "must be a string",
		`{"grant":["a"]}`:                       "must be a string",
		`{"grant":""}`:                          "1 to 256 bytes",
		`{"grant":"` + strings.Repeat("x", 257) + `"}`:         "1 to 256 bytes",
		`{"audience":"` + strings.Repeat("é", 257) + `"}`:      "1 to 512 bytes",
		`{"audience":["a"]}`:                                   "must be a string",
		`{"lifetime_seconds":0}`:                               "whole number",
		`{"lifetime_seconds":-1}`:                              "whole number",
		`{"lifetime_seconds":1.0}`:                             "whole number",
		`{"lifetime_seconds":1e2}`:                             "whole number",
		`{"lifetime_seconds":"60"}`:                            "whole number",
		`{"lifetime_seconds":2147483648}`:                      "whole number",
		`{"lifetime_seconds":99999999999999999999}`:            "whole number",
		`{"lifetime_seconds":060}`:                             "whole number",
		`{"claims":null}`:                                      "must be an object",
		`{"claims":[]}`:                                        "must be an object",
		`{"claims":{"a":null}}`:                                `"/claims/a" must not be null`,
		`{"claims":{"a":NaN}}`:                                 "not JSON",
		`{"claims":{"a":` + nested(ipc.MaxClaimDepth+2) + `}}`: "more than 8 deep",
		`{"claims":{"a":` + strings.Repeat("[", 20000) + `}}`:  "not JSON",
		"{\"grant\":\"\xff\"}":                                 "not JSON",
		`{"grant":"\ud800"}`:                                   "not JSON",
		"{\"grant\":\"a\nb\"}":                                 "not JSON",
	} {
		_, err := decodeAssertion([]byte(body))
		checkMalformed(t, body, err, want)
	}
}

func checkMalformed(t *testing.T, body string, err error, want string) {
	t.Helper()
	var p *ipc.Problem
	if !errors.As(err, &p) || p.Code != ipc.CodeMalformedRequest || !strings.Contains(p.Detail, want) {
		t.Errorf("%.60q: got %v, want %q", body, err, want)
		return
	}
	if len(p.Detail) > 400 || strings.Contains(p.Detail, "jsontext") {
		t.Errorf("%.60q: detail %q", body, p.Detail)
	}
}

func TestMalformedDetailIsShort(t *testing.T) {
	name := strings.Repeat("n", 60000)
	for _, body := range []string{`{"` + name + `":1}`, `{"claims":{"` + name + `":null}}`, `{"claims":{"` + name + `":1,"` + name + `":1}}`} {
		_, err := decodeAssertion([]byte(body))
		checkMalformed(t, body, err, "")
	}
}

func TestDecodeBatch(t *testing.T) {
	got, err := decodeBatch([]byte(`{"requests":[{"grant":"a"},{}]}`))
	if err != nil || !reflect.DeepEqual(got.Requests, []ipc.AssertionRequest{{Grant: "a"}, {}}) {
		t.Errorf("%v %+v", err, got)
	}
	full := `{"requests":[` + strings.Repeat("{},", ipc.MaxBatch-1) + `{}]}`
	if got, err := decodeBatch([]byte(full)); err != nil || len(got.Requests) != ipc.MaxBatch {
		t.Errorf("%v", err)
	}
	for body, want := range map[string]string{
		`{}`:                                "at least one",
		`{"requests":[]}`:                   "at least one",
		`{"requests":{}}`:                   "must be an array",
		`{"requests":null}`:                 "must be an array",
		`{"requests":[{}`:                   "too early",
		`{"requests":[{}}`:                  "not JSON",
		`{"requests":[null]}`:               `"/requests/0" must be an object`,
		`{"requests":[{}],"requests":[{}]}`: "twice",
		`{"requests":[{},{"Grant":"a"}]}`:   `"/requests/1/Grant" is unknown`,
		`[{}]`:                              "must be an object",
	} {
		_, err := decodeBatch([]byte(body))
		checkMalformed(t, body, err, want)
	}
}

func TestDecodeSign(t *testing.T) {
	zeros := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	got, err := decodeSign([]byte(`{"key":"mtls","hash":"SHA-256","digest":"` + zeros + `","padding":"pss"}`))
	if want := (ipc.SignRequest{Key: "mtls", Hash: ipc.HashSHA256, Digest: make([]byte, 32), Padding: ipc.PaddingPSS}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %+v", err, got)
	}
	for body, want := range map[string]string{
		`{}`:          `"key" is missing`,
		`{"key":"k"}`: `"hash" must be`,
		`{"key":"k","hash":"sha-256","digest":"` + zeros + `"}`:                      `"hash" must be`,
		`{"key":"k","hash":"MD5","digest":"` + zeros + `"}`:                          `"hash" must be`,
		`{"key":"k","hash":"SHA-256"}`:                                               `"digest" is missing`,
		`{"key":"k","hash":"SHA-384","digest":"` + zeros + `"}`:                      "a SHA-384 digest has 48",
		`{"key":"k","hash":"none","digest":""}`:                                      "bytes",
		`{"key":"k","hash":"none","digest":"AA"}`:                                    "base64",
		`{"key":"k","hash":"none","digest":"AB=="}`:                                  "base64", // bits left over
		`{"key":"k","hash":"none","digest":"A\nA=="}`:                                "base64",
		`{"key":"k","hash":"none","digest":"_-8="}`:                                  "base64",
		`{"key":"k","hash":"none","digest":"AA==","padding":"none"}`:                 `"padding" must be`,
		`{"key":"k","hash":"none","digest":"` + strings.Repeat("AAAA", 10923) + `"}`: "bytes",
	} {
		_, err := decodeSign([]byte(body))
		checkMalformed(t, body, err, want)
	}
}

// seeds reach every branch of the decoder.
var seeds = []string{
	`{}`, `{"grant":"a","audience":"b","claims":{"c":[1,{"d":null}]},"lifetime_seconds":9}`,
	`{"requests":[{},{"grant":"g"}]}`, `{"key":"k","hash":"none","digest":"AA==","padding":"pss"}`,
	`{"grant":"a","grant":"b"}`, `{"Grant":"a"}`, `{"claims":{"a":{"b":1,"b":2}}}`, `{"claims":{"\u0061":1,"a":2}}`,
	`{} {}`, `null`, `[`, "{\"grant\":\"\xff\"}", `{"claims":{"a":1E5,"b":-0.0}}`, `{"claims":{"":"<&>\u2028"}}`,
}

// FuzzDecode: a decoded request survives encoding and decoding, encoding/json
// decodes it to the same, and a second copy of a member never decodes, in any
// case.
func FuzzDecode(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		roundTrip(t, body, decodeAssertion)
		roundTrip(t, body, decodeBatch)
		roundTrip(t, body, decodeSign)
	})
}

func roundTrip[T any](t *testing.T, body []byte, decode func([]byte) (T, error)) {
	t.Helper()
	req, err := decode(body)
	if err != nil {
		var p *ipc.Problem
		if !errors.As(err, &p) || p.Code.Status() != 400 || p.Detail == "" {
			t.Fatalf("%q: %v", body, err)
		}
		return
	}
	encoded, err := json.Marshal(req)
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	again, err := decode(encoded)
	if err != nil {
		t.Fatalf("%q was accepted, %q was not: %v", body, encoded, err)
	}
	if second, err := json.Marshal(again); err != nil || string(second) != string(encoded) {
		t.Fatalf("%q became %q (%v)", encoded, second, err)
	}
	var lenient T
	if err := json.Unmarshal(body, &lenient); err != nil {
		t.Fatalf("%q: encoding/json refuses it: %v", body, err)
	}
	if other, err := json.Marshal(lenient); err != nil || string(other) != string(encoded) {
		t.Fatalf("%q decodes to %q, and by encoding/json to %q", body, encoded, other)
	}
	refuseVariants(t, encoded, decode)
}

// refuseVariants repeats each member, in the same case and in others.
func refuseVariants[T any](t *testing.T, encoded []byte, decode func([]byte) (T, error)) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		rest := string(encoded[1:])
		for _, variant := range []string{name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]} {
			double := `{"` + variant + `":` + string(value) + `,` + rest
			if _, err := decode([]byte(double)); err == nil {
				t.Fatalf("%q was accepted", double)
			}
		}
	}
}
