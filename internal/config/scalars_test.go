package config

import (
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]struct {
		d    time.Duration
		back string
	}{
		"90d":        {90 * 24 * time.Hour, "90d"},
		"24h":        {24 * time.Hour, "24h"},
		"1d":         {24 * time.Hour, "24h"},
		"1d12h":      {36 * time.Hour, "36h"},
		"60s":        {time.Minute, "1m"},
		"1h30m":      {90 * time.Minute, "1h30m"},
		"250ms":      {250 * time.Millisecond, "250ms"},
		"1.5s":       {1500 * time.Millisecond, "1.5s"},
		"0s":         {0, "0s"},
		"100000d":    {100_000 * 24 * time.Hour, "100000d"},
		"000012d":    {12 * 24 * time.Hour, "12d"},
		"36525d1h1s": {36525*24*time.Hour + time.Hour + time.Second, "876601h0m1s"},
		"2h0m0.005s": {2*time.Hour + 5*time.Millisecond, "2h0m0.005s"},
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want.d || d.String() != want.back {
			t.Errorf("%s: %v, %s, %v", text, d.Std(), d, err)
		}
		var again Duration
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%s: back from %s: %v, %v", text, d, again, err)
		}
	}
}

func TestDurationRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                                 "not a duration",
		"60":                               "write 60s",
		"1.5":                              "write 1.5s",
		"-5s":                              "not a duration",
		"+5s":                              "not a duration",
		"5 s":                              "not a duration",
		"5w":                               "not a duration",
		"5h2d":                             "not a duration",
		"1e3s":                             "not a duration",
		"forever":                          "not a duration",
		"100001d":                          "too long",
		"100000d1ns":                       "not a duration",
		"100000d1ms":                       "too long",
		"0.0005s":                          "finer",
		"999999999999h":                    "too long",
		strings.Repeat("999999999999h", 9): "too long",
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), says) || d != 0 {
			t.Errorf("%q: %v, %v; want %q", text, d, err, says)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "1KiB": 1 << 10, "100MiB": 100 << 20, "3GiB": 3 << 30, "1048575TiB": (1<<20 - 1) << 40, "1024KiB": 1 << 20} {
		var s, again Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s: back from %s: %v", text, s, err)
		}
	}
	for _, text := range []string{"", "5", "5MB", "-1B", "1.5MiB", "1048576TiB", " 1B", "B"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d", text, s)
		}
	}
}

func TestMode(t *testing.T) {
	var m Mode
	if err := m.UnmarshalText([]byte("0660")); err != nil || m != 0o660 || m.String() != "0660" {
		t.Errorf("%v, %v", m, err)
	}
	for _, text := range []string{"", "0o660", "7777", "rw-rw----", "66", "0888"} {
		if err := m.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, m)
		}
	}
}
