package jwks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth is how deep a JWK set may nest: set, list, key, list of certificates.
const maxDepth = 8

// members is one JSON object by exact member name: encoding/json would take
// "KID" for "kid".
type members map[string]json.RawMessage

// decodeStrict takes one JSON value and nothing after it. Where a document
// could be read in two ways (duplicate members, bad UTF-8) it is refused.
func decodeStrict(document []byte, into any) error {
	if !utf8.Valid(document) {
		return errors.New("it is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	if err := checkValue(decoder, maxDepth); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return json.Unmarshal(document, into)
}

// checkValue walks one value in search of duplicate members.
func checkValue(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	delim, compound := token.(json.Delim)
	if !compound {
		return nil
	}
	if depth == 0 {
		return fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	}
	seen := map[string]bool{}
	for decoder.More() {
		if delim == '{' {
			if err := checkName(decoder, seen); err != nil {
				return err
			}
		}
		if err := checkValue(decoder, depth-1); err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	return err
}

func checkName(decoder *json.Decoder, seen map[string]bool) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	name, _ := token.(string)
	if seen[name] {
		return fmt.Errorf("the member %q occurs twice", name)
	}
	seen[name] = true
	return nil
}

// text is a member that must be a string if it is there at all.
func (m members) text(name string) (string, error) {
	raw, there := m[name]
	if !there {
		return "", nil
	}
	var value *string
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		return "", fmt.Errorf("%w: %q is not a string", ErrFormat, name)
	}
	return *value, nil
}
