package apiserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// fetch gets a document.
func fetch(url string) ([]byte, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// kidsOf lists the kids of a JWKS in order.
func kidsOf(t *testing.T, document []byte) (kids []string) {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	check(t, json.Unmarshal(document, &set))
	for _, key := range set.Keys {
		kids = append(kids, key.Kid)
	}
	slices.Sort(kids)
	return kids
}

// recorded returns the line of the audit log that has a text.
func (s *site) recorded(text string) (string, error) {
	log, err := os.ReadFile(s.in("audit.jsonl"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, text) {
			return line, nil
		}
	}
	return "", fmt.Errorf("no line has %s", text)
}
