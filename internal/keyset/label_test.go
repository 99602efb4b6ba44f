package keyset

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/jwks"
)

func TestLabel(t *testing.T) {
	created := time.Date(2026, 1, 31, 13, 0, 59, 999, time.FixedZone("CET", 3600))
	label := Label("payments", created)
	if label != "payments/20260131T120059Z" {
		t.Fatalf("got %s", label)
	}
	set, parsed, err := ParseLabel(label)
	if err != nil || set != "payments" || !parsed.Equal(created.Truncate(time.Second)) || parsed.Location() != time.UTC {
		t.Errorf("got %s %s %v", set, parsed, err)
	}
}

func TestParseLabelRefuses(t *testing.T) {
	for label, want := range map[string]error{
		"":                                ErrLabel,
		"payments":                        ErrLabel,
		"tls-server-key":                  ErrLabel,
		"/20260131T120000Z":               jwks.ErrSetName,
		"pay ments/20260131T120000Z":      jwks.ErrSetName,
		"-x/20260131T120000Z":             jwks.ErrSetName,
		"zahlungs\u00fc/20260131T120000Z": jwks.ErrSetName,
		strings.Repeat("x", 65) + "/20260131T120000Z": jwks.ErrSetName,
		"payments/":                     ErrLabelTime,
		"payments/20260131":             ErrLabelTime,
		"payments/20260231T120000Z":     ErrLabelTime,
		"payments/20260131T240000Z":     ErrLabelTime,
		"payments/20260131T120000":      ErrLabelTime,
		"payments/20260131T120000.5Z":   ErrLabelTime,
		"payments/20260131T120000,000Z": ErrLabelTime,
		"payments/20260131T120000+0100": ErrLabelTime,
		"payments/20260131T120000Z ":    ErrLabelTime,
		"payments/20260131T120000Z/2":   ErrLabelTime,
		"payments/x/20260131T120000Z":   ErrLabelTime,
	} {
		if set, created, err := ParseLabel(label); !errors.Is(err, want) || set != "" || !created.IsZero() {
			t.Errorf("%q: got %q %s %v, want %v", label, set, created, err, want)
		}
	}
}

// Whatever is parsed is what Label makes of it, and the other way round.
func FuzzLabel(f *testing.F) {
	f.Add("payments/20260131T120000Z", int64(1769860800))
	f.Add("a.b_c-d/00010101T000000Z", int64(-1))
	f.Add("x/20260131T120000.0Z", int64(253402300799))
	f.Fuzz(func(t *testing.T, label string, unix int64) {
		if set, created, err := ParseLabel(label); err == nil && Label(set, created) != label {
			t.Errorf("%q is read as %q %s", label, set, created)
		}
		created := time.Unix(unix, 0).UTC()
		if created.Year() < 0 || created.Year() > 9999 || jwks.CheckSetName(label) != nil {
			return
		}
		set, parsed, err := ParseLabel(Label(label, created))
		if err != nil || set != label || !parsed.Equal(created) {
			t.Errorf("%s comes back as %q %s %v", Label(label, created), set, parsed, err)
		}
	})
}
