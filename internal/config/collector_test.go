package config

import "testing"

// TestCollector: names never leave the machine unencrypted.
func TestCollector(t *testing.T) {
	for address, want := range map[string]bool{
		"http://127.0.0.1:4318/v1/traces":              true,
		"http://[::1]:4318/v1/traces":                  true,
		"http://localhost:4318/v1/traces":              true,
		"https://collector.example:4318/v1/traces":     true,
		"http://collector.example:4318/v1/traces":      false,
		"http://10.0.0.1:4318/v1/traces":               false,
		"https://user:secret@collector.example/traces": false,
		"https://collector.example":                    false,
		"https://collector.example/traces?token=x":     false,
		"127.0.0.1:4318":                               false,
		"":                                             false,
	} {
		if err := checkCollector(address); (err == nil) != want {
			t.Errorf("%q: %v", address, err)
		}
	}
}
