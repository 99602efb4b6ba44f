package keyset_test

import (
	"os"
	"testing"

	"github.com/assertd/assertd/hsm/worker/workertest"
)

func TestMain(m *testing.M) {
	workertest.Serve()
	os.Exit(m.Run())
}
