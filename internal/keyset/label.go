package keyset

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assertd/assertd/jwks"
)

// labelTime is the creation time inside a label: UTC, to the second.
const labelTime = "20060102T150405Z"

// What may be wrong with a label.
var (
	ErrLabel     = errors.New("not the label of a key version")
	ErrLabelTime = errors.New("it doesn't end in a creation time")
)

// Label is the label of a version on the token, `<key set>/<creation time>`:
// "payments/20260131T120000Z". The time is cut to the second. The name must be
// one that jwks.CheckSetName takes, and the year within 0 to 9999.
func Label(set string, created time.Time) string {
	return set + "/" + created.UTC().Format(labelTime)
}

// ParseLabel splits a version's label. It accepts exactly what Label makes.
// ErrLabel means that the label is of another form (not assertd's key),
// jwks.ErrSetName and ErrLabelTime that it was meant to be one.
func ParseLabel(label string) (set string, created time.Time, err error) {
	set, text, found := strings.Cut(label, "/")
	if !found {
		return "", time.Time{}, fmt.Errorf("%w: %q; want <key set>/<time as 20260131T120000Z>", ErrLabel, label)
	}
	if err := jwks.CheckSetName(set); err != nil {
		return "", time.Time{}, fmt.Errorf("label %q: %w", label, err)
	}
	created, err = time.Parse(labelTime, text)
	// time.Parse takes fractions of a second that the layout does not have.
	if err != nil || created.Format(labelTime) != text {
		return "", time.Time{}, fmt.Errorf("label %q: %w such as 20260131T120000Z; if the key isn't a version of %q, change its label to one that doesn't start with %q",
			label, ErrLabelTime, set, set+"/")
	}
	return set, created, nil
}
