package profile

import (
	"encoding/base64"
	"fmt"
	"io"
)

// JTIRule says how jti is made.
type JTIRule string

// The forms of jti. Each that is made has at least 122 random bits.
const (
	// JTIRandom is 128 random bits in base64url: 22 characters.
	JTIRandom JTIRule = "random"
	// JTIUUID is a random UUID (RFC 9562 section 5.4).
	JTIUUID JTIRule = "uuid"
	// JTINone leaves jti out, for receivers that do not use it.
	JTINone JTIRule = "none"
)

func (r JTIRule) make(random io.Reader) (string, error) {
	if r == JTINone {
		return "", nil
	}
	id, err := randomID(random)
	if err != nil {
		return "", fmt.Errorf("read random bytes for the jti: %w", err)
	}
	if r == JTIRandom {
		return base64.RawURLEncoding.EncodeToString(id[:]), nil
	}
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // the RFC 9562 variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

// randomID reads 128 random bits.
func randomID(random io.Reader) (id [16]byte, err error) {
	_, err = io.ReadFull(random, id[:])
	return id, err
}
