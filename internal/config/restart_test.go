package config

import (
	"errors"
	"strings"
	"testing"
)

// TestRestartOnly changes one section at a time.
func TestRestartOnly(t *testing.T) {
	const base = "hsm: {module: /m.so, token: {label: t}, pin: {file: /pin}}\nkeys: {one: {alg: ES256, use: assertion}}\naudit: {required: false}\n"
	read := func(text string) *Config {
		c, err := Parse("a.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		return c
	}
	was := read(base)
	for _, reloads := range []string{base, strings.Replace(base, "one", "two", 1)} {
		if err := RestartOnly(was, read(reloads)); err != nil {
			t.Errorf("%v for\n%s", err, reloads)
		}
	}
	for section, changed := range map[string]string{
		"hsm":    strings.Replace(base, "/m.so", "/n.so", 1),
		"listen": base + "listen: [{socket: /s.sock}]\n",
		"log":    base + "log: {level: debug}\n",
		"verify": base + "verify: sampled\n",
	} {
		err := RestartOnly(was, read(changed))
		if !errors.Is(err, ErrRestart) || !strings.Contains(err.Error(), `"`+section+`"`) {
			t.Errorf("%s: %v", section, err)
		}
	}
}
