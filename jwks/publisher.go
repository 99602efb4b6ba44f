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

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/web"
)

// The paths of the documents. A single key set is at SetPathPrefix + <key set>
// + ".json".
const (
	SetPath       = "/.well-known/jwks.json"
	SetPathPrefix = "/.well-known/jwks/"
	DiscoveryPath = "/.well-known/openid-configuration"
)

// DefaultMaxAge is how long receivers can cache the JWKS by default, if no
// change is near.
const DefaultMaxAge = 5 * time.Minute

// PublisherConfig configures a Publisher.
type PublisherConfig struct {
	// Issuer adds the OpenID Connect discovery document for this issuer, which
	// AWS, Google and Entra read for workload federation; "" adds none.
	Issuer string
	// MaxAge is the maximum time that receivers can cache the JWKS; 0 is
	// DefaultMaxAge. A version must be published longer than this before it
	// signs.
	MaxAge time.Duration
	// MaxConnections limits the open connections of Serve; 0 is
	// DefaultMaxConnections.
	MaxConnections int
	// Proxies are in front of Serve. Only they can say which address a receiver
	// has, in the form that ClientAddress names.
	Proxies       web.Proxies
	ClientAddress web.ClientAddress
	// Logger gets a line at level debug for each document that is fetched; nil
	// drops them.
	Logger logging.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// ErrorLog gets the HTTP server's messages about connections; nil drops
	// them.
	ErrorLog *log.Logger
}

// ErrPublisher reports a PublisherConfig or Content that can't be published.
var ErrPublisher = errors.New("cannot publish")

// Content is the keys that a Publisher serves.
type Content struct {
	Set Set // every key
	// Sets are sets to serve separately, by key set name, each at its own path,
	// for receivers that must not see each other's keys. Nil for none.
	Sets map[string]Set
	// Bundles are the keys of JWT-SVIDs, by SPIFFE trust domain. Nil for none.
	Bundles map[string]Set
	// Issuers are the keys of further issuers, by their URL. Each has its
	// discovery document and its set at the path of the URL. One without a path
	// is not served: its set would be where Set is. Nil for none.
	Issuers map[string]Set
	// NextChange is when a version next changes its state by the schedule. No
	// max-age goes past it. Zero for never.
	NextChange time.Time
}

// Publisher serves public keys over HTTP from memory. It answers only GET, HEAD
// and CORS preflights for its few documents, never redirects, and has no data
// but that of Update. It is safe for concurrent use.
type Publisher struct {
	config   PublisherConfig
	issuer   issuer
	updating sync.Mutex
	current  atomic.Pointer[snapshot]
}

// snapshot is immutable once it is current.
type snapshot struct {
	documents  map[string]*document // by path
	nextChange time.Time
}

// NewPublisher refuses an issuer that receivers would refuse. The Publisher
// answers 503 until the first Update, since receivers would cache an empty set.
func NewPublisher(config PublisherConfig) (*Publisher, error) {
	issuer, err := parseIssuer(config.Issuer)
	if err != nil {
		return nil, err
	}
	if config.MaxAge < 0 || config.MaxConnections < 0 {
		return nil, fmt.Errorf("%w: max_age and the number of connections can't be negative", ErrPublisher)
	}
	if config.MaxAge == 0 {
		config.MaxAge = DefaultMaxAge
	}
	if config.MaxConnections == 0 {
		config.MaxConnections = DefaultMaxConnections
	}
	if config.Logger == nil {
		config.Logger = logging.Discard
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Publisher{config: config, issuer: issuer}, nil
}

// Update replaces the content. Unchanged documents keep their Last-Modified. On
// an error, the old content stays.
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

// bodies returns the documents for a content, by path.
func (p *Publisher) bodies(content Content) (map[string]body, error) {
	bodies := map[string]body{SetPath: {setContentType, content.Set.JSON()}}
	for _, name := range slices.Sorted(maps.Keys(content.Sets)) {
		if err := CheckSetName(name); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPublisher, err)
		}
		bodies[SetPathPrefix+name+".json"] = body{setContentType, content.Sets[name].JSON()}
	}
	for domain, set := range content.Bundles {
		bundle, err := set.Bundle(p.config.MaxAge)
		if err != nil {
			return nil, err
		}
		bodies[BundlePathPrefix+domain+".json"] = body{"application/json", bundle}
	}
	for url, set := range content.Issuers {
		issuer, err := parseIssuer(url)
		if err == nil && issuer.path != "" {
			err = issuer.addTo(bodies, set)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.issuer.url == "" {
		return bodies, nil
	}
	return bodies, p.issuer.addTo(bodies, content.Set)
}

// addTo adds an issuer's documents.
func (i issuer) addTo(bodies map[string]body, set Set) error {
	discovery, err := i.discovery(set)
	if err != nil {
		return err
	}
	bodies[i.path+DiscoveryPath] = body{"application/json", discovery}
	bodies[i.path+SetPath] = body{setContentType, set.JSON()}
	return nil
}

// answerPreflight lets a browser send GET with the headers of a conditional or
// a traced request, and remember that for a day.
func answerPreflight(header http.Header) {
	header.Set("Access-Control-Allow-Methods", "GET, HEAD")
	header.Set("Access-Control-Allow-Headers", "*")
	header.Set("Access-Control-Max-Age", "86400")
}

// ServeHTTP answers with a document, 404 or 405, or with 503 before the first
// Update.
func (p *Publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["X-Content-Type-Options"] = nosniff
	header["Access-Control-Allow-Origin"] = anyOrigin
	current := p.current.Load()
	if current == nil {
		header.Set("Retry-After", "1")
		http.Error(w, "the keys are not available yet", http.StatusServiceUnavailable)
		return
	}
	document, found := current.documents[r.URL.Path]
	switch {
	case !found:
		http.Error(w, "not found", http.StatusNotFound)
	case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "":
		answerPreflight(header)
		w.WriteHeader(http.StatusNoContent)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "use GET or HEAD", http.StatusMethodNotAllowed)
	default:
		now := p.config.Now()
		header["Cache-Control"] = []string{current.cacheControl(now, p.config.MaxAge)}
		document.serve(w, r, now)
		p.config.Logger.Debug("keys fetched", "path", r.URL.Path, "client", p.config.web().Client(r))
	}
}

// cacheControl lets receivers cache a document for maxAge, but not past the
// next change, and not use it when stale (RFC 9111 section 5.2.2).
func (s *snapshot) cacheControl(now time.Time, maxAge time.Duration) string {
	if !s.nextChange.IsZero() {
		maxAge = max(0, min(maxAge, s.nextChange.Sub(now)))
	}
	return "public, max-age=" + strconv.FormatInt(int64(maxAge/time.Second), 10) + ", must-revalidate"
}
