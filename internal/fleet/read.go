package fleet

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/store"
)

// maxBytes bounds what a daemon reads at once: who can write to the server must
// not fill its memory. The longest words of a fleet take less.
const maxBytes = 32 << 20

// readHash returns the fields and values of a hash, or refuses one that is too
// large. The server counts, so nothing too large is sent.
var readHash = redis.NewScript(`
local all, bytes = redis.call('HGETALL', KEYS[1]), 0
for _, text in ipairs(all) do bytes = bytes + #text end
if bytes > tonumber(ARGV[1]) then return redis.error_reply('TOOLARGE ' .. bytes .. ' bytes') end
return all
`)

// read returns the entries of a hash.
func read(ctx context.Context, s *store.Store, key string) (map[string]string, error) {
	list, err := readHash.Run(ctx, s.Client(), []string{key}, maxBytes).StringSlice()
	if redis.HasErrorPrefix(err, "TOOLARGE") {
		return nil, fmt.Errorf("the fleet's server has more than %d MiB in %s; look who writes to it: %w", maxBytes>>20, key, err)
	}
	if err != nil {
		return nil, err
	}
	entries := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		entries[list[i]] = list[i+1]
	}
	return entries, nil
}
