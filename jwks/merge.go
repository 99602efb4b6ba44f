package jwks

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrConflict means that sets can't be merged, since they differ in what they
// say of a key.
var ErrConflict = errors.New("the sets conflict")

// Merge returns the set that has the keys of all sets, to publish it: receivers
// then verify what any of the daemons behind them signs. A key that several
// sets have must be the same in each. It refuses a set with keys that assertd
// never makes, since it would leave them out, and keys that NewSet refuses.
func Merge(sets ...Set) (Set, error) {
	var keys []Key
	seen := make(map[string][]byte)
	for _, set := range sets {
		if set.foreign > 0 {
			return Set{}, fmt.Errorf("%w: %d keys are of kinds that assertd never makes; merge only what assertd publishes", ErrConflict, set.foreign)
		}
		for _, key := range set.Keys() {
			one, err := NewSet([]Key{key})
			if err != nil {
				return Set{}, err
			}
			before, again := seen[key.Kid]
			switch {
			case !again:
				seen[key.Kid] = one.JSON()
				keys = append(keys, key)
			case !bytes.Equal(before, one.JSON()):
				return Set{}, fmt.Errorf("%w: the key with kid %q is not the same in all of them; see which daemon is right with assertctl jwks diff", ErrConflict, key.Kid)
			}
		}
	}
	return NewSet(keys)
}
