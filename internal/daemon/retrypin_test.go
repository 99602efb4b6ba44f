package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc/caller"
)

// Nobody gets another attempt with a PIN that the audit log doesn't know of.
func TestRetryPINIsRecordedFirst(t *testing.T) {
	o, module := twoTokens(t)
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	d.trail.Close()
	d.Reread = nil // not reached
	from := caller.Caller{UID: 4711, PID: 12}
	if err := d.retryPIN(t.Context(), from); !errors.Is(err, audit.ErrUnavailable) || !strings.Contains(err.Error(), "is not tried") {
		t.Errorf("without a record: %v", err)
	}
	if n := module.Calls(t, "C_Login"); n != 0 {
		t.Errorf("%d logins", n)
	}
	if text, err := os.ReadFile(o.Config.Audit.File); err != nil || strings.Contains(string(text), audit.KindRetryPIN) {
		t.Errorf("the log has %q, %v", text, err)
	}
}
