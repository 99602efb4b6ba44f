package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
)

// Inventory is the payload of KindReady: what a worker reads on its token.
type Inventory struct {
	PIN  hsm.PINState
	Keys []KeyInfo
}

// Encode returns the payload: a byte for the state of the PIN, and the keys.
func (i Inventory) Encode() ([]byte, error) {
	state, keys := slices.Index(hsm.PINStates(), i.PIN), i.Keys
	if state < 0 {
		return nil, fmt.Errorf("hsm/wire: unknown PIN state %q", i.PIN)
	}
	payload, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("hsm/wire: encode the inventory: %w", err)
	}
	if len(keys) > hsm.MaxKeys || len(payload) >= MaxReply-idSize {
		return nil, fmt.Errorf("hsm/wire: %d keys make an inventory of %d bytes; the limits are %d keys and %d bytes; remove old keys from the token",
			len(keys), len(payload), hsm.MaxKeys, MaxReply-idSize)
	}
	return slices.Insert(payload, 0, byte(state)), nil
}

// DecodeInventory decodes the inventory of the named token.
func DecodeInventory(payload []byte, token string) (Inventory, error) {
	states := hsm.PINStates()
	if len(payload) == 0 || int(payload[0]) >= len(states) {
		return Inventory{}, Malformed("the inventory has no state of the PIN")
	}
	keys, err := decodeKeys(payload[1:], token)
	return Inventory{PIN: states[payload[0]], Keys: keys}, err
}

// decodeKeys decodes one key at a time: sixteen megabytes can hold five million
// empty keys, which must not expand to gigabytes before they are counted.
func decodeKeys(payload []byte, token string) ([]KeyInfo, error) {
	list := json.NewDecoder(bytes.NewReader(payload))
	if open, err := list.Token(); err != nil || open != json.Delim('[') {
		return nil, Malformed("the inventory is not a list")
	}
	keys := []KeyInfo{}
	for list.More() {
		if len(keys) == hsm.MaxKeys {
			return nil, Malformed("the inventory has more than %d keys", hsm.MaxKeys)
		}
		var k KeyInfo
		if err := list.Decode(&k); err != nil {
			return nil, Malformed("the inventory: %v", err)
		}
		if err := k.derive(token); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if _, err := list.Token(); err != nil {
		return nil, Malformed("the inventory: %v", err)
	}
	return keys, nil
}
