package jwks

import (
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Where the documents are served. A key set of its own is at
// SetPathPrefix + <key set> + ".json".
const (
	SetPath       = "/.well-known/jwks.json"
	SetPathPrefix = "/.well-known/jwks/"
	DiscoveryPath = "/.well-known/openid-configuration"
)

// DefaultMaxAge is how long receivers may keep the JWKS where nothing else is
// said and no change is near.
const DefaultMaxAge = 5 * time.Minute

// PublisherConfig is how a Publisher publishes.
type PublisherConfig struct {
	// Issuer turns on the OpenID Connect discovery document for it, as AWS,
	// Google and Entra workload federation read it; "" leaves it out.
	Issuer string
	// MaxAge bounds how long a receiver may keep the JWKS; 0 is DefaultMaxAge.
	// A version must be published longer than this before it signs.
	MaxAge time.Duration
	// MaxConnections bounds the open connections of Serve; 0 is DefaultMaxConnections.
	MaxConnections int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// ErrorLog takes what the HTTP server has to say about connections; nil drops it.
	ErrorLog *log.Logger
}

// ErrPublisher is a PublisherConfig or Content that cannot be published.
var ErrPublisher = errors.New("cannot publish")

// Content is what a Publisher serves from one moment on.
type Content struct {
	Set Set // every key
	// Sets are served each at its own path, by key set name, for receivers that
	// must not see each other's keys. Nil for none.
	Sets map[string]Set
	// NextChange is when the content will change by the passing of time, see
	// Plan.NextChange; no receiver is told to keep it longer. Zero for never.
	NextChange time.Time
}

// Publisher serves public keys over HTTP from memory. It answers GET and HEAD
// for its few documents and nothing else, never redirects, and holds nothing
// but what Update gave it. Safe for concurrent use.
type Publisher struct {
	config   PublisherConfig
	issuer   issuer
	updating sync.Mutex
	current  atomic.Pointer[snapshot]
}

// snapshot is never changed once it is current.
type snapshot struct {
	documents  map[string]*document // by path
	nextChange time.Time
}

// NewPublisher refuses an issuer that federation would refuse. It serves 503
// until the first Update: an empty set would be remembered by receivers.
func NewPublisher(config PublisherConfig) (*Publisher, error) {
	issuer, err := parseIssuer(config.Issuer)
	if err != nil {
		return nil, err
	}
	if config.MaxAge < 0 || config.MaxConnections < 0 {
		return nil, fmt.Errorf("%w: max_age and the number of connections cannot be negative", ErrPublisher)
	}
	if config.MaxAge == 0 {
		config.MaxAge = DefaultMaxAge
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = DefaultMaxConnections
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Publisher{config: config, issuer: issuer}, nil
}

// Update serves new content from the next request on. Documents that stay the
// same keep their Last-Modified. On an error, the old content stays.
func (p *Publisher) Update(content Content) error {
	bodies, err := p.bodies(content)
	if err != nil {
		return err
	}
	p.updating.Lock()
	defer p.updating.Unlock()
	next := &snapshot{documents: make(map[string]*document, len(bodies)), nextChange: content.NextChange}
	now := p.config.Now()
	for path, body := range bodies {
		next.documents[path] = newDocument(body, p.document(path), now)
	}
	p.current.Store(next)
	return nil
}

func (p *Publisher) document(path string) *document {
	if current := p.current.Load(); current != nil {
		return current.documents[path]
	}
	return nil
}

type body struct {
	contentType string
	bytes       []byte
}

const setContentType = "application/jwk-set+json" // RFC 7517 section 8.5.2

// bodies are the documents of a content by path.
func (p *Publisher) bodies(content Content) (map[string]body, error) {
	bodies := map[string]body{SetPath: {setContentType, content.Set.JSON()}}
	for _, name := range slices.Sorted(maps.Keys(content.Sets)) {
		if err := CheckSetName(name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPublisher, err)
		}
		bodies[SetPathPrefix+name+".json"] = body{setContentType, content.Sets[name].JSON()}
	}
	if p.issuer.url == "" {
		return bodies, nil
	}
	discovery, err := p.issuer.discovery(content.Set)
	if err != nil {
		return nil, err
	}
	bodies[p.issuer.path+DiscoveryPath] = body{"application/json", discovery}
	bodies[p.issuer.path+SetPath] = bodies[SetPath]
	return bodies, nil
}

// ServeHTTP answers with a document, or 404, 405, or 503 before the first Update.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["X-Content-Type-Options"] = nosniff
	current := p.current.Load()
	if current == nil {
		header.Set("Retry-After", "1")
		http.Error(w, "the keys are not known yet", http.StatusServiceUnavailable)
		return
	}
	document, found := current.documents[r.URL.Path]
	switch {
	case !found:
		http.Error(w, "there is nothing here", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "use GET or HEAD", http.StatusMethodNotAllowed)
	default:
		now := p.config.Now()
		header["Cache-Control"] = []string{current.cacheControl(now, p.config.MaxAge)}
		document.serve(w, r, now)
	}
}

// cacheControl lets receivers keep a document for maxAge, but not past the next
// change, and not use it stale after that (RFC 9111 section 5.2.2).
func (s *snapshot) cacheControl(now time.Time, maxAge time.Duration) string {
	if !s.nextChange.IsZero() {
		maxAge = max(0, min(maxAge, s.nextChange.Sub(now)))
	}
	return "public, max-age=" + strconv.FormatInt(int64(maxAge/time.Second), 10) + ", must-revalidate"
}
