package daemon

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/jwks"
)

// publishAt is a publication with a clock that the test sets, and a file that an
// earlier run left.
func publishAt(t *testing.T, maxAge time.Duration, clock *time.Time) (*publication, *journal) {
	t.Helper()
	log := &journal{}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, []byte("former"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty, err := jwks.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPublication(config.JWKS{File: file, MaxAge: config.Duration(maxAge)}, log, func() time.Time { return *clock },
		func() (jwks.Content, error) { return jwks.Content{Set: empty}, nil })
	if err != nil {
		t.Fatal(err)
	}
	return p, log
}

// served tells whether receivers get the publication's keys.
func (p *publication) served(t *testing.T) (overHTTP, inFile bool) {
	t.Helper()
	text, err := os.ReadFile(p.settings.File)
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	p.publisher.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, jwks.SetPath, nil))
	return answer.Code == http.StatusOK, string(text) != "former"
}

// Keys that are only on a token that was not read yet are not taken from
// receivers, for as long as those can be expected to keep what they have.
func TestPublicationWaitsForEveryToken(t *testing.T) {
	for maxAge, most := range map[time.Duration]time.Duration{
		time.Second: leastHold, 2 * time.Minute: 2 * time.Minute, 24 * time.Hour: mostHold,
	} {
		clock := time.Unix(1_000_000, 0)
		p, log := publishAt(t, maxAge, &clock)
		step := func(want bool) {
			t.Helper()
			_, err := p.update()
			if overHTTP, inFile := p.served(t); (err == nil) != want || overHTTP != want || inFile != want {
				t.Errorf("max_age %v: %v; over HTTP %v, in the file %v, want %v", maxAge, err, overHTTP, inFile, want)
			}
			if err != nil && !strings.Contains(err.Error(), "token near, far since the start") {
				t.Errorf("%v", err)
			}
		}
		p.lacks([]string{"near", "far"})
		step(false)
		clock = clock.Add(most - time.Second)
		step(false)
		clock = clock.Add(time.Second)
		step(true)
		step(true)
		if text := strings.Join(log.take(), "\n"); strings.Count(text, "ERROR") != 1 || !strings.Contains(text, "near, far") {
			t.Errorf("max_age %v: the log says\n%s", maxAge, text)
		}
	}

	clock := time.Unix(1_000_000, 0)
	p, _ := publishAt(t, time.Minute, &clock)
	p.lacks([]string{"near"})
	if _, err := p.update(); err == nil {
		t.Error("published at once")
	}
	p.lacks(nil)
	if _, err := p.update(); err != nil {
		t.Errorf("every token was read: %v", err)
	}
}

// The whole daemon keeps an earlier run's file until the token is back whose PIN
// was refused, and says which token that is.
func TestStartKeepsTheFormerJWKS(t *testing.T) {
	d, mend := refuseNear(t)
	var log string
	waitFor(t, "it is said which token is missing", func() bool {
		log += strings.Join(d.Logger.(*journal).take(), "\n")
		return strings.Contains(log, "ERROR jwks not published") && strings.Contains(log, "token near")
	})
	if overHTTP, inFile := d.publish.served(t); overHTTP || inFile {
		t.Errorf("published: over HTTP %v, in the file %v", overHTTP, inFile)
	}
	mend()
	waitFor(t, "the keys are published", func() bool {
		overHTTP, inFile := d.publish.served(t)
		return overHTTP && inFile
	})
}
