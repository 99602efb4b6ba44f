package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// TestBatchWidth: a batch by itself stays within its client's cap on requests
// in flight.
func TestBatchWidth(t *testing.T) {
	r := serveDaemon(t, fmt.Sprintf(`
listen: [{socket: DIR/s}]
clients:
  - name: narrow
    match: {uid: %d}
    in_flight: 2
    grants: [{name: g, key: one, profile: private_key_jwt, client_id: c, audiences: ["https://a.example"]}]
`, os.Geteuid()))
	batch := `{"requests":[` + strings.TrimSuffix(strings.Repeat(`{"grant":"g"},`, 8), ",") + `]}`
	for range 10 {
		got, err := ask(dialer(filepath.Join(r.dir, "s")), "/v1/assertions/batch", batch)
		if err != nil {
			t.Fatal(err)
		}
		var answer ipc.BatchResponse
		if err := json.Unmarshal(got.Body, &answer); err != nil || len(answer.Results) != 8 {
			t.Fatalf("%v: %d %s", err, got.Status, got.Body)
		}
		refused := 0
		for _, result := range answer.Results {
			if result.Problem != nil {
				t.Log(result.Problem.Code)
				refused++
			}
		}
		if refused > 0 {
			t.Fatalf("%d of 8 refused", refused)
		}
	}
}
