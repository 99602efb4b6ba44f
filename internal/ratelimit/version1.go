package ratelimit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// version1 is the budgets file of releases before the boot clock was recorded,
// as JSON.
type version1 struct {
	Version int       `json:"version"`
	Written time.Time `json:"written"`
	Windows []struct {
		Budget string        `json:"budget"`
		Per    time.Duration `json:"per_ns"`
		Runs   []struct {
			First time.Duration `json:"first_age_ns"`
			Last  time.Duration `json:"last_age_ns"`
			Count int           `json:"count"`
		} `json:"runs"`
	} `json:"windows"`
}

func parseVersion1(data []byte) (*snapshot, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var v version1
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("extra data after the snapshot")
	}
	if v.Version != 1 {
		return nil, fmt.Errorf("unsupported version %d; this program reads versions 1 and %d", v.Version, formatVersion)
	}
	if v.Windows == nil {
		return nil, errors.New("windows is missing")
	}
	s := v.snapshot()
	return s, s.check()
}

func (v *version1) snapshot() *snapshot {
	s := &snapshot{written: Instant{Wall: v.Written}}
	for _, w := range v.Windows {
		runs := make([]savedRun, len(w.Runs))
		for i, r := range w.Runs {
			runs[i] = savedRun{r.First, r.Last, r.Count}
		}
		s.windows = append(s.windows, savedWindow{w.Budget, w.Per, runs})
	}
	return s
}
