package cli

import (
	"encoding/json"
	"testing"
)

func TestParseClaims(t *testing.T) {
	claims, err := ParseClaims([]string{"scope=read write", "amount=100", `roles=["a"]`, "empty=", "note=a=b"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil || string(text) != `{"amount":100,"empty":"","note":"a=b","roles":["a"],"scope":"read write"}` {
		t.Errorf("got %s, %v", text, err)
	}
	for _, flags := range [][]string{{"scope"}, {"=read"}, {"a=1", "a=2"}} {
		if claims, err := ParseClaims(flags); err == nil {
			t.Errorf("%q: got %v, want an error", flags, claims)
		}
	}
	if claims, err := ParseClaims(nil); claims != nil || err != nil {
		t.Errorf("no flags: got %v, %v", claims, err)
	}
}
