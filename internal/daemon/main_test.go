package daemon

import (
	"testing"

	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/atomicfile/writertest"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

func TestMain(m *testing.M) {
	workertest.Serve()
	writertest.Serve()
	peertest.Main(m, map[string]peertest.Role{callerRole: askAsCaller})
}
