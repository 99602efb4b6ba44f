package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestKidsThatLookLikeFlags(t *testing.T) {
	const kid = "-AbsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs_"
	got := nameKids([]string{"key", "destroy", kid, "--yes-destroy", kid, "--config", "/etc/assertd/assertd.yaml"})
	want := []string{"key", "destroy", "kid:" + kid, "--yes-destroy", "kid:" + kid, "--config", "/etc/assertd/assertd.yaml"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if bare := bareKids(got[4:5]); bare[0] != kid {
		t.Errorf("bare %q", bare)
	}
	if other := nameKids([]string{"jwks", kid}); other[1] != kid {
		t.Errorf("another command's argument became %q", other[1])
	}
}

// TestKeyCommandLines are wrong before any token is opened.
func TestKeyCommandLines(t *testing.T) {
	for _, args := range []string{
		"generate", "generate a b", "show", "csr k", "csr k --subject CN=a --self-signed 30", "csr k --subject CN=a --self-signed 0s",
		"import-cert", "adopt s", "adopt s --id xyz", "destroy", "list --pin-file f --pin-prompt",
		"show k --pem --jwk", "generate k --alg ES256", "list --token t", "list --module /m",
		"generate k --module /m --token t", "generate bad/name --module /m --token t --alg ES256",
		"generate k --module /m --token t --alg ES256 --bits 2048", "prune --module /m --token t", "--pin 1234",
	} {
		var complaint bytes.Buffer
		code := run(t.Context(), append([]string{"key"}, strings.Fields(args)...), strings.NewReader(""), io.Discard, &complaint)
		if code != exitUsage {
			t.Errorf("%s: exit code %d, %s", args, code, complaint.String())
		}
	}
}
