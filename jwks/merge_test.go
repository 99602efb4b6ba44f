package jwks

import (
	"errors"
	"testing"
)

func TestMerge(t *testing.T) {
	keys := oneOfEach(t)
	half := len(keys) / 2
	got, err := Merge(mustSet(t, keys[half:]...), mustSet(t), mustSet(t, keys[:half+1]...))
	if want := mustSet(t, keys...); err != nil || string(got.JSON()) != string(want.JSON()) {
		t.Errorf("%v\n%s, want\n%s", err, got.JSON(), want.JSON())
	}
	if empty, err := Merge(); err != nil || empty.Len() != 0 {
		t.Errorf("%d keys, %v", empty.Len(), err)
	}
	other := keys[1]
	other.Kid = keys[0].Kid
	if _, err := Merge(mustSet(t, keys[0]), mustSet(t, other)); !errors.Is(err, ErrConflict) {
		t.Errorf("two keys with one kid: %v", err)
	}
	foreign := mustParse(t, `{"keys":[{"kty":"RSA","use":"enc","n":"AQ","e":"AQAB"}]}`)
	if _, err := Merge(mustSet(t, keys...), foreign); !errors.Is(err, ErrConflict) {
		t.Errorf("a key that would be left out: %v", err)
	}
}
