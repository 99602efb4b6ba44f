package jwks

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assertd/assertd/internal/logging"
)

// disk is a disk that can hang. Only internal/atomicfile and test/e2e have real
// ones: this one hangs in a synctest bubble.
type disk struct {
	mu     sync.Mutex
	hangs  chan struct{} // closed when it answers; nil while it works
	writes []string
}

func (d *disk) Update(ctx context.Context, _ string, content []byte, _ fs.FileMode) (bool, error) {
	d.mu.Lock()
	hangs := d.hangs
	d.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
			return false, errors.New("stuck")
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = append(d.writes, string(content))
	return true, nil
}

func (d *disk) hang() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hangs = make(chan struct{})
}

func (d *disk) answer() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.hangs)
	d.hangs = nil
}

// publishedTo runs a publication of sets that the test replaces.
func publishedTo(t *testing.T, d *disk) (p *Publication, replace func(Set), stop func()) {
	t.Helper()
	var mu sync.Mutex
	var content Content
	p, err := NewPublication(PublicationConfig{
		Content:   func() (Content, error) { mu.Lock(); defer mu.Unlock(); return content, nil },
		Publisher: PublisherConfig{Now: time.Now}, File: "/jwks.json", Files: d, Logger: logging.Discard,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	replace = func(set Set) {
		mu.Lock()
		content = Content{Set: set}
		mu.Unlock()
		p.Trigger()
		synctest.Wait()
	}
	return p, replace, func() { cancel(); <-ended }
}

// A disk that hangs delays the file, and not what receivers get over HTTP. Only
// the newest set is written when it answers.
func TestAHungDiskDelaysOnlyTheFile(t *testing.T) {
	keys := oneOfEach(t)
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		p, replace, stop := publishedTo(t, d)
		replace(mustSet(t, keys[0]))
		if status := p.Status(); status.Error != "" || status.Keys != 1 {
			t.Errorf("%+v", status)
		}
		d.hang()
		for n := 2; n <= 4; n++ {
			set := mustSet(t, keys[:n]...)
			replace(set)
			if got := content(t, ask(p.publisher, "GET", SetPath)); got != string(set.JSON()) {
				t.Errorf("over HTTP: %s", got)
			}
		}
		if status := p.Status(); status.Error != "" || status.Keys != 1 {
			t.Errorf("while the write is under way: %+v", status)
		}
		time.Sleep(slowWrite + time.Second)
		if status := p.Status(); status.Error != slowError || status.Keys != 1 {
			t.Errorf("while the write takes long: %+v", status)
		}
		d.answer()
		synctest.Wait()
		if status := p.Status(); status.Error != "" || status.Keys != 4 {
			t.Errorf("afterwards: %+v", status)
		}
		var written []int
		for _, text := range d.writes {
			written = append(written, strings.Count(text, `"kid"`))
		}
		if last := written[len(written)-1]; last != 4 || slices.Contains(written, 3) {
			t.Errorf("sets of %v keys were written", written)
		}
		stop()
	})
}

func TestAHungDiskHoldsUpNoStop(t *testing.T) {
	keys := oneOfEach(t)
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		p, replace, stop := publishedTo(t, d)
		d.hang()
		replace(mustSet(t, keys[0]))
		replace(mustSet(t, keys[1]))
		began := time.Now()
		stop()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if status := p.Status(); status.Error == "" {
			t.Errorf("%+v", status)
		}
	})
}
