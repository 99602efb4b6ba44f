package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/strictyaml"
)

// FuzzParse: Parse never panics, and returns either strictyaml.ErrInvalid or a
// configuration that marshals to an equivalent file.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"../../examples/config/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(whole))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("fuzz.yaml", data, WithAccounts(StandIns()))
		if err != nil {
			if c != nil || !errors.Is(err, strictyaml.ErrInvalid) {
				t.Fatalf("configuration %v, error %v", c, err)
			}
			return
		}
		first, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("again.yaml", first, WithAccounts(StandIns()))
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		second, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("after one round\n%s\nafter two\n%s", first, second)
		}
	})
}

// FuzzNoPINInErrors: no error about a file contains a PIN that is in it,
// whatever form the PIN has and whatever is around it.
func FuzzNoPINInErrors(f *testing.F) {
	const secret = "4711zq"
	forms := []string{
		"  pin: " + secret + "\n",
		"  pin: \"" + secret + "\"\n",
		"  pin: {value: " + secret + "}\n",
		"  pin: {" + secret + ": 1}\n",
		"  pin: [" + secret + ", {a: " + secret + "}]\n",
		"  pin: |\n    " + secret + "\n",
		"  pin:\n    file: " + secret + "\n",
		"  pin: {command: [" + secret + "], credential: a/" + secret + "}\n",
		"  pin: !t " + secret + "\n",
		"  pin: &" + secret + " x\n",
		"  user_pin: " + secret + " # " + secret + "\n",
		"  password: '" + secret + "'\n",
	}
	for i := range forms {
		f.Add("hsm:\n", uint8(i), "  bogus: 1\n")
		f.Add("hsm:\n  module: m\n", uint8(i), "")
		f.Add("hsm: {", uint8(i), "}")
		f.Add("hsm:\n  timeout: \"", uint8(i), "\"\n")
		f.Add("? ", uint8(i), ": [")
		f.Add("keys: {a: {alg: ES256, use: raw, rate: [{\n", uint8(i), "}]}}\n")
	}
	f.Fuzz(func(t *testing.T, before string, form uint8, after string) {
		if strings.Contains(before+after, secret) {
			return
		}
		text := before + forms[int(form)%len(forms)] + after
		_, err := Parse("fuzz.yaml", []byte(text), WithAccounts(StandIns()))
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the PIN\n%s\n--- of\n%s", err, text)
		}
	})
}
