package profile

import (
	"encoding/base64"
	"fmt"
	"io"
)

// JTIRule says how jti is made.
type JTIRule string

// The forms of jti. Each that is made holds 122 random bits or more.
const (
	// JTIRandom is 128 random bits in base64url: 22 characters.
	JTIRandom JTIRule = "random"
	// JTIUUID is a random UUID (RFC 9562 section 5.4).
	JTIUUID JTIRule = "uuid"
	// JTINone leaves jti out: the receiver does not know it.
	JTINone JTIRule = "none"
)

func (r JTIRule) make(random io.Reader) (string, error) {
	if r == JTINone {
		return "", nil
	}
	var id [16]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", fmt.Errorf("read random bytes for the jti: %w", err)
	}
	if r == JTIRandom {
		return base64.RawURLEncoding.EncodeToString(id[:]), nil
	}
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // the RFC 9562 variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), nil
}

// KeyIDRule says which kid the receiver looks for.
type KeyIDRule string

const (
	// KeyIDAny takes the RFC 7638 thumbprint or the grant's key_id.
	KeyIDAny KeyIDRule = "any"
	// KeyIDFromReceiver takes only the name that the receiver gave the key
	// when it was registered, which the grant states as its key_id.
	KeyIDFromReceiver KeyIDRule = "receiver's"
)
