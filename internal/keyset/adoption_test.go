package keyset_test

import (
	"slices"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
)

// A key that is no longer adopted is on its token all the same, and is not
// lost. One that has vanished stays lost until a person revokes it, even if
// nothing adopts it any more.
func TestRemovingAnAdoptionIsNoLoss(t *testing.T) {
	k := softhsm.New(t)
	b := newEnv(t, newPool(t, k), false)
	b.sets[0].Rotation.Every = 0
	b.generate(-day)
	if _, err := b.pool.Generate(t.Context(), hsm.Spec{Label: "legacy", Type: hsm.P256}); err != nil {
		t.Fatal(err)
	}
	b.sets[0].Label = "legacy"
	b.at(0)
	adopted := b.plan().Versions[0].Kid
	b.sets[0].Label = ""
	b.says(time.Hour)
	b.sets[0].Label = "legacy"
	b.at(2 * time.Hour)
	destroy(t, k, adopted)
	b.says(3*time.Hour, "a published key version has vanished")
	b.sets[0].Label = ""
	b.at(4 * time.Hour)
	if lost := b.Plans()[0].Lost; !slices.Equal(lost, []string{adopted}) {
		t.Errorf("lost %v, want %s", lost, adopted)
	}
	b.sets[0].Rotation.Revoke = []string{adopted}
	b.at(5 * time.Hour)
	if lost := b.Plans()[0].Lost; lost != nil {
		t.Errorf("revoked, and still lost: %v", lost)
	}
}
