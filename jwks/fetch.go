package jwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/trustpath"
)

// fetchTimeout is twice the timeout of the most patient common verifier.
const fetchTimeout = 10 * time.Second

// ReadSet reads the set at an HTTP or HTTPS URL, as verifiers do, or in a file.
// Errors are those of [ParseSet] and name the location.
func ReadSet(ctx context.Context, transport http.RoundTripper, location string) (Set, error) {
	if !strings.HasPrefix(location, "https://") && !strings.HasPrefix(location, "http://") {
		set, err := ReadSetFile(location)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; give a file that exists, or a URL", err)
		}
		return set, err
	}
	text, err := get(ctx, transport, location)
	if err != nil {
		return Set{}, fmt.Errorf("%s: %w", location, err)
	}
	return parseFrom(location, text)
}

// ReadSetFile reads the set in a file.
func ReadSetFile(path string) (Set, error) {
	text, err := trustpath.ReadRegular(path)
	if err != nil {
		return Set{}, err
	}
	return parseFrom(path, text)
}

func parseFrom(location string, text []byte) (Set, error) {
	set, err := ParseSet(text)
	if err != nil {
		return Set{}, fmt.Errorf("%s: %w", location, err)
	}
	return set, nil
}

// get reads a URL like a verifier. Many verifiers do not follow redirects.
func get(ctx context.Context, transport http.RoundTripper, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := checkResponse(response); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(response.Body, MaxDocument+1)) // ParseSet rejects a longer one
}

func checkResponse(response *http.Response) error {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return fmt.Errorf("it redirects to %s, which many verifiers do not follow; give receivers that URL", response.Header.Get("Location"))
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("it returns HTTP %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	case kind != "application/jwk-set+json" && kind != "application/json":
		return fmt.Errorf("its Content-Type is %q; serve it as application/jwk-set+json", kind)
	}
	return nil
}
