package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errNotJWT = errors.New("not a compact JWT")

// printDecoded prints the header and claims of a JWT. Without the signature
// they are not a credential.
func printDecoded(out io.Writer, compact string) error {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return errNotJWT
	}
	for _, part := range parts[:2] {
		text, err := indented(part)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
	return nil
}

func indented(part string) (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNotJWT, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return "", fmt.Errorf("%w: %w", errNotJWT, err)
	}
	return out.String(), nil
}
