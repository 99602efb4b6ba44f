package hsm

import (
	"encoding/hex"
	"testing"
)

// The example of RFC 5649 section 6.
func TestWrapPadded(t *testing.T) {
	key, _ := hex.DecodeString("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")
	secret, _ := hex.DecodeString("c37b7e6492584340bed12207808941155068f738")
	wrapped, err := wrapPadded(key, secret)
	if got := hex.EncodeToString(wrapped); err != nil || got != "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" {
		t.Errorf("%s, %v", got, err)
	}
}
