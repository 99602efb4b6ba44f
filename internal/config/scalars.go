package config

import (
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/strictyaml"
)

// Duration is a time.Duration that the file has with a unit: 90d, 24h, 1h30m,
// 60s, 250ms. A day is 24 hours. It is never negative, and in whole
// milliseconds.
type Duration time.Duration

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes whole days with d, and anything else like the standard library.
func (d Duration) String() string {
	const day = 24 * time.Hour
	switch std := d.Std(); {
	case std >= 2*day && std%day == 0:
		return strconv.FormatInt(int64(std/day), 10) + "d"
	default:
		return trimZeroUnits(std.String())
	}
}

// trimZeroUnits turns 24h0m0s into 24h.
func trimZeroUnits(s string) string {
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

var durationPattern = regexp.MustCompile(`^(?:([0-9]{1,6})d)?((?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:h|ms|m|s))*)$`)

// UnmarshalText reads a duration with its unit.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return fmt.Errorf("%s has no unit; write %ss for seconds, or use ms, m, h or d", strictyaml.Quote(s), s)
	}
	match := durationPattern.FindStringSubmatch(s)
	if s == "" || match == nil {
		return fmt.Errorf("%s is not a duration; write a number with a unit, such as 250ms, 60s, 5m, 24h or 90d", strictyaml.Quote(s))
	}
	days, _ := strconv.Atoi("0" + match[1])
	var rest time.Duration
	if match[2] != "" {
		var err error
		if rest, err = time.ParseDuration(match[2]); err != nil {
			return fmt.Errorf("%s is too long; the maximum is 100000d", strictyaml.Quote(s))
		}
	}
	if rest%time.Millisecond != 0 {
		return fmt.Errorf("%s is finer than a millisecond, the smallest step; round it", strictyaml.Quote(s))
	}
	const most = 100_000 * 24 * time.Hour
	if days > 100_000 || rest > most || time.Duration(days)*24*time.Hour+rest > most {
		return fmt.Errorf("%s is too long; the maximum is 100000d", strictyaml.Quote(s))
	}
	*d = Duration(time.Duration(days)*24*time.Hour + rest)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Size is a number of bytes, with the unit B, KiB, MiB, GiB or TiB.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes Size
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText reads a size with its unit.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 20)
		if err != nil {
			break
		}
		*s = Size(n) * u.bytes
		return nil
	}
	return fmt.Errorf("%s is not a size; write a whole number below 1048576 with a unit, such as 64KiB, 100MiB or 1GiB", strictyaml.Quote(string(text)))
}

// String writes the size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0B"
}

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Mode is a socket's permission bits.
type Mode fs.FileMode

var modePattern = regexp.MustCompile(`^0?[0-7]{3}$`)

// UnmarshalText reads permission bits in octal.
func (m *Mode) UnmarshalText(text []byte) error {
	if !modePattern.Match(text) {
		return fmt.Errorf(`%s is not a mode; write the permission bits in octal and in quotes, such as "0660"`, strictyaml.Quote(string(text)))
	}
	n, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil {
		return fmt.Errorf("%s is not a mode: %w", strictyaml.Quote(string(text)), err)
	}
	*m = Mode(n)
	return nil
}

// String writes the mode as chmod takes it.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint32(m)) }

// MarshalText writes what UnmarshalText reads.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
