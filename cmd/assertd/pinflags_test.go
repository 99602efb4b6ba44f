package main

import (
	"errors"
	"testing"
)

func TestAdviceOnThePINIsNews(t *testing.T) {
	for want, flags := range map[string]pinFlags{
		"no PIN; or use --pin-file or --pin-prompt": {},
		"no PIN; or use --pin-prompt":               {file: "pin"},
		"no PIN":                                    {prompt: true},
	} {
		if got := flags.advise(errors.New("no PIN")).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
