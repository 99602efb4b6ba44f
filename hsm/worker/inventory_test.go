package worker

import (
	"errors"
	"strings"
	"testing"
)

// A worker that a module has taken over can send sixteen megabytes that stand for gigabytes.
func TestInventoryIsBounded(t *testing.T) {
	list := func(n int) []byte { return []byte("[{}" + strings.Repeat(",{}", n-1) + "]") }
	if keys, err := decodeInventory(list(maxKeys), "token"); err != nil || len(keys) != maxKeys {
		t.Errorf("as many as may be: %d keys, %v", len(keys), err)
	}
	for name, payload := range map[string][]byte{
		"one more": list(maxKeys + 1), "all that fit": list(maxFrame / 3), "no list": []byte("{}"), "nothing": nil, "null": []byte("null"), "cut off": []byte("[{}"),
		"a wrong key": []byte(`[{"SPKI":"AAAA"}]`), "no key": []byte("[1]"),
	} {
		if keys, err := decodeInventory(payload, "token"); !errors.Is(err, errFrame) || keys != nil {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
	if _, err := encodeInventory(make([]wireKey, maxKeys+1)); err == nil || !strings.Contains(err.Error(), "remove old keys") {
		t.Errorf("a token with too many keys: %v", err)
	}
}
