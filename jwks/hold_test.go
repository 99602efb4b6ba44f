package jwks

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/logging"
)

// errorLog keeps the error lines.
type errorLog struct {
	logging.Logger
	lines []string
}

func (l *errorLog) Error(message string, args ...any) {
	l.lines = append(l.lines, message+" "+fmt.Sprint(args...))
}

// newPublication makes a publication with a clock that the test sets, and a
// file that an earlier run left.
func newPublication(t *testing.T, maxAge time.Duration) (*Publication, *clock, *errorLog) {
	t.Helper()
	log, clock := &errorLog{Logger: logging.Discard}, &clock{now: day(0)}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, []byte("former"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := NewPublication(PublicationConfig{
		Content:   func() (Content, error) { return Content{}, nil },
		Publisher: PublisherConfig{MaxAge: maxAge, Now: clock.Now},
		File:      file, Files: inProcess{}, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, clock, log
}

// inProcess writes files in this process.
type inProcess struct{}

func (inProcess) Update(_ context.Context, path string, content []byte, mode fs.FileMode) (bool, error) {
	return atomicfile.Update(path, content, mode)
}

// writeNext writes the set that was put, if any.
func (f *setFile) writeNext(t *testing.T) {
	select {
	case set := <-f.next:
		f.write(t.Context(), set)
	default:
	}
}

// published tells whether receivers get the publication's keys.
func (p *Publication) published(t *testing.T) (overHTTP, inFile bool) {
	t.Helper()
	text, err := os.ReadFile(p.config.File)
	if err != nil {
		t.Fatal(err)
	}
	return ask(p.publisher, http.MethodGet, SetPath).StatusCode == http.StatusOK, string(text) != "former"
}

// Receivers don't lose keys that are only on an unread token, for as long as
// they can be expected to keep what they have.
func TestPublicationWaitsForEveryToken(t *testing.T) {
	for maxAge, limit := range map[time.Duration]time.Duration{
		time.Second: minHold, 2 * time.Minute: 2 * time.Minute, 24 * time.Hour: maxHold,
	} {
		p, clock, log := newPublication(t, maxAge)
		step := func(want bool) {
			t.Helper()
			_, err := p.update()
			p.file.writeNext(t)
			if overHTTP, inFile := p.published(t); (err == nil) != want || overHTTP != want || inFile != want {
				t.Errorf("max_age %v: %v; over HTTP %v, in the file %v, want %v", maxAge, err, overHTTP, inFile, want)
			}
			if err != nil && !strings.Contains(err.Error(), "token near, far since startup") {
				t.Errorf("%v", err)
			}
		}
		p.SetUnread([]string{"near", "far"})
		step(false)
		clock.set(clock.Now().Add(limit - time.Second))
		step(false)
		clock.set(clock.Now().Add(time.Second))
		step(true)
		step(true)
		if text := strings.Join(log.lines, "\n"); len(log.lines) != 1 || !strings.Contains(text, "near, far") {
			t.Errorf("max_age %v: the log says\n%s", maxAge, text)
		}
	}

	p, _, _ := newPublication(t, time.Minute)
	p.SetUnread([]string{"near"})
	if _, err := p.update(); err == nil {
		t.Error("published at once")
	}
	p.SetUnread(nil)
	if _, err := p.update(); err != nil {
		t.Errorf("every token was read: %v", err)
	}
}
