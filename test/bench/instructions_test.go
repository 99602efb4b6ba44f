package main

import (
	"io"
	"testing"
)

// The instructions of each path are those of a role that exists.
func TestPaths(t *testing.T) {
	for _, p := range paths() {
		if roles[p.role] == nil {
			t.Errorf("instructions/%s: role %q does not exist", p.name, p.role)
		}
	}
}

func TestCollected(t *testing.T) {
	if n, err := collected("==7== Events    : Ir\n==7== Collected : 84604531\n==7== \n"); n != 84604531 || err != nil {
		t.Errorf("%v, %v", n, err)
	}
	if _, err := collected("==7== killed\n"); err == nil {
		t.Error("a log without a count is accepted")
	}
}

func TestExactly(t *testing.T) {
	if o := exactly(func() (int, error) { return 2, nil }, 3); o.Count != 6 || o.Error != "" {
		t.Errorf("%+v", o)
	}
	if o := exactly(func() (int, error) { return 0, io.EOF }, 3); o.Error == "" {
		t.Error("the error of the operation is lost")
	}
}
