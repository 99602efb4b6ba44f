package trail

import (
	"context"
	"crypto"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/jose"
)

// checkpointKey is the version of the configured key set that signs the log's
// checkpoints now.
func (t *Trail) checkpointKey(context.Context) (audit.Key, error) {
	key, err := t.Keys.SigningKey(t.Settings.CheckpointKey)
	if err != nil {
		return audit.Key{}, err
	}
	return audit.Key{Public: key.Public, Sign: func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return t.HSM.Sign(ctx, key.Set, key.Ref, digest, opts, func(signature []byte) error {
			return jose.Verify(key.Public, digest, opts, signature)
		})
	}}, nil
}
