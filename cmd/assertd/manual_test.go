package main

import (
	"testing"

	"github.com/assertd/assertd/internal/cli/manual"
)

func TestManual(t *testing.T) { manual.Write(t, rootCommand()) }
