package jwks

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// nosniff is shared by all responses; net/http only reads header values.
var nosniff = []string{"nosniff"}

// anyOrigin lets programs in browsers read the documents (CORS). They are
// public, and the server has no cookies.
var anyOrigin = []string{"*"}

// document is a response body with its headers, all built in advance.
type document struct {
	body         []byte
	etag         string
	modified     time.Time // to the second
	contentType  []string
	length       []string
	etagHeader   []string
	lastModified []string
}

// newDocument returns the old document if the body is the same.
func newDocument(b body, old *document, now time.Time) *document {
	if old != nil && bytes.Equal(old.body, b.bytes) {
		return old
	}
	modified := now.UTC().Truncate(time.Second)
	// Two changes within a second must not share a Last-Modified: a receiver with
	// the first would never fetch the second.
	if old != nil && !modified.After(old.modified) {
		modified = old.modified.Add(time.Second)
	}
	sum := sha256.Sum256(b.bytes)
	etag := `"` + b64.EncodeToString(sum[:16]) + `"`
	return &document{
		body: b.bytes, etag: etag, modified: modified,
		contentType:  []string{b.contentType},
		length:       []string{strconv.Itoa(len(b.bytes))},
		etagHeader:   []string{etag},
		lastModified: []string{modified.Format(http.TimeFormat)},
	}
}

func (d *document) serve(w http.ResponseWriter, r *http.Request, now time.Time) {
	header := w.Header()
	header["Etag"] = d.etagHeader
	// A Last-Modified in the future is not allowed (RFC 9110 section 8.8.2.1).
	if !d.modified.After(now) {
		header["Last-Modified"] = d.lastModified
	}
	if d.isFresh(r.Header) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header["Content-Type"] = d.contentType
	header["Content-Length"] = d.length
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	_, _ = w.Write(d.body) // if this fails, the peer is gone
}

// isFresh reports whether the receiver has this document. If-None-Match takes
// precedence over If-Modified-Since (RFC 9110 section 13.2.2).
func (d *document) isFresh(request http.Header) bool {
	if tags, given := request["If-None-Match"]; given {
		return d.matches(tags)
	}
	since, err := http.ParseTime(request.Get("If-Modified-Since"))
	return err == nil && !d.modified.After(since)
}

// matches uses the weak comparison (RFC 9110 section 13.1.2). Our tags contain
// no comma, so splitting a foreign tag at its comma can't make it match.
func (d *document) matches(tags []string) bool {
	for _, list := range tags {
		for tag := range strings.SplitSeq(list, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == d.etag {
				return true
			}
		}
	}
	return false
}
