package ship

import (
	"net/http"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzAnswer reads what a collector may answer. It never counts lines back, and
// what is kept of it is short.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(""), 200, "")
	f.Add([]byte(`{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"no"}}`), 200, "")
	f.Add([]byte(`{"partialSuccess":{"rejectedLogRecords":-3}}`), 200, "")
	f.Add([]byte(`{"partialSuccess":{"rejectedLogRecords":1e300}}`), 200, "1")
	f.Add([]byte("{\"message\":\"\\u001b[2J\"}"), 429, "-1")
	f.Add([]byte(`[[[[`), 503, "99999999999999999999")
	f.Fuzz(func(t *testing.T, answer []byte, code int, after string) {
		if lost, err := rejectedLines(answer); err == nil && lost.rejected < 0 {
			t.Fatalf("%q rejects %d lines", answer, lost.rejected)
		}
		e := newStatusError(&http.Response{StatusCode: code, Status: http.StatusText(code), Header: http.Header{"Retry-After": {after}}}, answer)
		if e.after < 0 || e.after > maxPause {
			t.Fatalf("Retry-After %q is a pause of %v", after, e.after)
		}
		if len(e.Error()) > 2000 || !utf8.ValidString(e.Error()) || e.after > time.Hour {
			t.Fatalf("a long or broken error: %q", e.Error())
		}
	})
}
