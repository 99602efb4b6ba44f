// Package fleet is what the daemons of a fleet tell each other through the
// server that they share: what is frozen, and that they are there.
//
// Everything is sealed with the fleet key, which the server doesn't have. So
// who can write to the server can delete and play back, and neither forge nor
// change. What is deleted is put back by a daemon that knows it. What is played
// back is older than what the daemons know.
package fleet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/secret"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/internal/trustpath"
)

const (
	minKey = 32 // bytes
	maxKey = 1024
)

// Key proves that an entry was made by a daemon of the fleet.
type Key struct {
	// The bytes are behind a function so that no way to print shows them.
	secret func() []byte
}

// ReadKey reads the fleet key.
func ReadKey(ctx context.Context, source secret.Source) (Key, error) {
	line, err := source.Line(ctx, maxKey)
	if err != nil {
		return Key{}, err
	}
	if len(line) < minKey {
		clear(line)
		return Key{}, fmt.Errorf("%s has fewer than %d characters; make a key with: openssl rand -hex 32", source, minKey)
	}
	return Key{secret: func() []byte { return line }}, nil
}

// Open reads the fleet key of a configuration, and prepares the connection to
// the server. Of base it takes Now and Logger.
func Open(ctx context.Context, c *config.Shared, trust trustpath.Rules, base store.Options) (*store.Store, Key, error) {
	key, err := ReadKey(ctx, *store.SecretOf(&c.FleetKey, trust))
	if err != nil {
		return nil, Key{}, fmt.Errorf("budgets.shared.fleet_key: %w", err)
	}
	s, err := store.Configured(ctx, c, trust, base)
	return s, key, err
}

// errForged means that an entry was not made with this key, or was changed.
var errForged = errors.New("not made with this fleet key")

// seal returns the text of an entry. The place is where it belongs: in another
// one it is not valid.
func (k Key) seal(place string, entry []byte) string {
	return hex.EncodeToString(k.mac(place, entry)) + " " + string(entry)
}

// open returns the entry of a text that seal made for this place.
func (k Key) open(place, text string) ([]byte, error) {
	sum, entry, _ := strings.Cut(text, " ")
	mac, err := hex.DecodeString(sum)
	if err != nil || !hmac.Equal(mac, k.mac(place, []byte(entry))) {
		return nil, errForged
	}
	return []byte(entry), nil
}

// decode is open for an entry in JSON.
func (k Key) decode(place, text string, into any) error {
	entry, err := k.open(place, text)
	if err != nil {
		return err
	}
	return json.Unmarshal(entry, into)
}

func (k Key) mac(place string, entry []byte) []byte {
	mac := hmac.New(sha256.New, k.secret())
	fmt.Fprintf(mac, "assertd fleet 1\n%d\n%s\n", len(place), place)
	mac.Write(entry)
	return mac.Sum(nil)
}
