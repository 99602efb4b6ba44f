package main

import (
	"slices"
	"strings"
	"testing"
)

func TestTrustDomainMustBeUnique(t *testing.T) {
	one := map[string][]string{"a.example": {"k"}}
	two := map[string][]string{"a.example": {"k"}, "b.example": {"l", "m"}}
	for _, row := range []struct {
		domains map[string][]string
		name    string
		want    []string
		says    string
	}{
		{one, "", []string{"k"}, ""}, {two, "b.example", []string{"l", "m"}, ""},
		{two, "", nil, "choose one with --trust-domain: a.example, b.example"},
		{two, "c.example", nil, "want one of a.example, b.example"}, {nil, "", nil, "no grant has profile spiffe-jwt-svid"},
	} {
		got, err := trustDomain(row.domains, row.name)
		if !slices.Equal(got, row.want) || (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%v, %q: %v, %v", row.domains, row.name, got, err)
		}
	}
}
