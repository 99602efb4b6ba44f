package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxKeys is how many private keys a token may hold.
const maxKeys = 50_000

// EncodeInventory encodes the keys of a token, the payload of KindReady.
func EncodeInventory(keys []KeyInfo) ([]byte, error) {
	payload, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("hsm/wire: encode the inventory: %w", err)
	}
	if len(keys) > maxKeys || len(payload) > MaxReply-idSize {
		return nil, fmt.Errorf("hsm/wire: %d keys make an inventory of %d bytes; the limits are %d keys and %d bytes; remove old keys from the token",
			len(keys), len(payload), maxKeys, MaxReply-idSize)
	}
	return payload, nil
}

// DecodeInventory decodes the keys of the named token, one at a time: sixteen
// megabytes can hold five million empty keys, which must not expand to
// gigabytes before they are counted.
func DecodeInventory(payload []byte, token string) ([]KeyInfo, error) {
	list := json.NewDecoder(bytes.NewReader(payload))
	if open, err := list.Token(); err != nil || open != json.Delim('[') {
		return nil, Malformed("the inventory is not a list")
	}
	keys := []KeyInfo{}
	for list.More() {
		if len(keys) == maxKeys {
			return nil, Malformed("the inventory has more than %d keys", maxKeys)
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
