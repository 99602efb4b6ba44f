package keyset_test

import (
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/keyset"
)

// A second version is made when it is due, is published for a day, and takes
// over; the first stays in the JWKS for what it has signed.
func ExampleSchedule() {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	versions := []keyset.Version{
		{Kid: "first", Created: noon},
		{Kid: "second", Created: noon.AddDate(0, 0, 90)},
	}
	rotation := keyset.Rotation{
		Every: 90 * 24 * time.Hour, PublishBefore: 24 * time.Hour,
		KeepAfter: 24 * time.Hour, AssertionLife: 2 * time.Minute,
	}
	for _, day := range []int{90, 91, 93} {
		plan := keyset.Schedule(versions, rotation, noon.AddDate(0, 0, day))
		fmt.Printf("day %d: first is %s, second is %s\n", day, plan.Versions[0].State, plan.Versions[1].State)
	}
	plan := keyset.Schedule(versions, rotation, noon.AddDate(0, 0, 93))
	fmt.Println("a third is due on", plan.DueAt.Format(time.DateOnly))
	// Output:
	// day 90: first is signing, second is published
	// day 91: first is retiring, second is signing
	// day 93: first is retired, second is signing
	// a third is due on 2026-06-30
}
