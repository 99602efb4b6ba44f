package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
)

// Inventory is the payload of KindReady: what a worker reads on its token.
type Inventory struct {
	PIN   hsm.PINState
	Token TokenDescription
	Keys  []KeyInfo
}

// TokenDescription is what people should know of a token. Nothing depends on it
// but what they are told, and how new keys are looked for.
type TokenDescription struct {
	Module hsm.ModuleInfo
	Offers []hsm.Offer // none if the token lists no mechanisms
	Makes  string      // the key pairs that it makes by that list
}

// Encode returns the payload: a byte for the state of the PIN, the description
// of the token, and the keys.
func (i Inventory) Encode() ([]byte, error) {
	state, keys := slices.Index(hsm.PINStates(), i.PIN), i.Keys
	if state < 0 {
		return nil, fmt.Errorf("hsm/wire: unknown PIN state %q", i.PIN)
	}
	token, err := json.Marshal(i.Token)
	if err != nil {
		return nil, fmt.Errorf("hsm/wire: encode the token's description: %w", err)
	}
	payload := binary.BigEndian.AppendUint32([]byte{byte(state)}, uint32(len(token)))
	payload = append(payload, token...)
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("hsm/wire: encode the inventory: %w", err)
	}
	if len(keys) > hsm.MaxKeys || len(payload)+len(list) > MaxReply-idSize {
		return nil, fmt.Errorf("hsm/wire: %d keys make an inventory of %d bytes; the limits are %d keys and %d bytes; remove old keys from the token",
			len(keys), len(payload)+len(list), hsm.MaxKeys, MaxReply-idSize)
	}
	return append(payload, list...), nil
}

// DecodeInventory decodes the inventory of the named token.
func DecodeInventory(payload []byte, token string) (Inventory, error) {
	states := hsm.PINStates()
	if len(payload) == 0 || int(payload[0]) >= len(states) {
		return Inventory{}, Malformed("the inventory has no state of the PIN")
	}
	description, list, err := decodeDescription(payload[1:])
	if err != nil {
		return Inventory{}, err
	}
	keys, err := decodeKeys(list, token)
	return Inventory{PIN: states[payload[0]], Token: description, Keys: keys}, err
}

// maxDescription bounds the description of a token, in bytes.
const maxDescription = 64 << 10

func decodeDescription(payload []byte) (description TokenDescription, rest []byte, err error) {
	if len(payload) < 4 {
		return description, nil, Malformed("the inventory has no description of the token")
	}
	n, rest := binary.BigEndian.Uint32(payload), payload[4:]
	if n > maxDescription || int(n) > len(rest) {
		return description, nil, Malformed("a description of the token of %d bytes", n)
	}
	if err := json.Unmarshal(rest[:n], &description); err != nil {
		return description, nil, Malformed("the description of the token: %v", err)
	}
	return description, rest[n:], nil
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
