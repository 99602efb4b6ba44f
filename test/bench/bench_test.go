package main

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		values []int
		part   float64
		want   int
	}{
		{nil, 0.5, 0}, {[]int{7}, 0.99, 7}, {[]int{3, 1, 2}, 0.5, 2}, {[]int{4, 3, 2, 1}, 0.5, 2}, {[]int{1, 2, 3, 4}, 0.99, 4},
	} {
		if got := quantile(slices.Clone(test.values), test.part); got != test.want {
			t.Errorf("quantile of %v at %v is %d, want %d", test.values, test.part, got, test.want)
		}
	}
}

func TestRepeatCountsEveryCaller(t *testing.T) {
	o := repeat(func() (int, error) { time.Sleep(time.Millisecond); return 2, nil }, 4, 20*time.Millisecond)
	if o.Error != "" || o.Count < 8 || o.Count%2 != 0 || o.P50 < time.Millisecond || o.P99 < o.P50 || o.Elapsed < 20*time.Millisecond {
		t.Errorf("four callers: %+v", o)
	}
	o = repeat(func() (int, error) { return 0, errors.New("refused") }, 2, time.Hour)
	if o.Error == "" {
		t.Error("the error of the operation is lost")
	}
}

// A case's name identifies its samples, and -run selects by it.
func TestSections(t *testing.T) {
	for _, s := range sections() {
		names := map[string]bool{}
		for _, c := range s.cases {
			if names[c.name] || roles[c.role] == nil {
				t.Errorf("%s/%s: the name is not unique, or role %q does not exist", s.name, c.name, c.role)
			}
			names[c.name] = true
		}
		if s.base != "" && !names[s.base] {
			t.Errorf("%s: base %q is not one of its cases", s.name, s.base)
		}
		chosen := s.chosen(settings{only: regexp.MustCompile("^" + s.name + "/" + s.cases[len(s.cases)-1].name + "$")})
		if want := 1 + min(len(s.base), 1); len(chosen.cases) != want {
			t.Errorf("%s: -run selects %d cases for the last one, want %d", s.name, len(chosen.cases), want)
		}
	}
}

func TestConfigurationsAreValid(t *testing.T) {
	e := env{Dir: t.TempDir(), Module: "/usr/lib/softhsm/libsofthsm2.so", PINFile: "/pin", SoftHSMConf: "/softhsm2.conf"}
	for _, s := range sections() {
		for _, c := range s.cases {
			if c.daemon == nil {
				continue
			}
			if _, err := parseConfiguration(e, *c.daemon); err != nil {
				t.Errorf("%s/%s: %v", s.name, c.name, err)
			}
		}
	}
}

func TestFlags(t *testing.T) {
	for _, wrong := range [][]string{{"-rounds", "0"}, {"-slice", "1ns"}, {"-run", "("}, {"-o", "yaml"}, {"-page", "p", "-run", "x"}, {"-bogus"}} {
		if _, err := parse(wrong, io.Discard); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func TestGoals(t *testing.T) {
	for _, g := range slices.Concat(keyGoals(), footprintGoals()) {
		f := figure{Goal: g.most, Measured: g.most}
		exceeded := figure{Goal: g.most, Measured: g.most + 1}
		if !f.holds() || exceeded.holds() {
			t.Errorf("%s: a goal of %v", g.name, g.most)
		}
	}
}

// A target names a case.
func TestTargets(t *testing.T) {
	samples := map[string][]sample{}
	for _, s := range sections() {
		for _, c := range s.cases {
			samples[c.name] = []sample{{ratio: 1, byCPU: 1, rate: 1e6}}
		}
		want := 0
		for _, target := range targets {
			if target.section == s.name {
				want++
			}
		}
		figures := s.figures(samples)
		if len(figures) != want {
			t.Errorf("%s: %d of its %d targets name a case", s.name, len(figures), want)
		}
		for _, f := range figures {
			if !f.holds() {
				t.Errorf("%s: %+v is missed", s.name, f)
			}
		}
		clear(samples)
	}
}
