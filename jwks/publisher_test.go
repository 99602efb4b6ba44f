package jwks

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func newPublisher(t testing.TB, issuer string) (*Publisher, *clock) {
	t.Helper()
	clock := &clock{now: day(0)}
	p, err := NewPublisher(PublisherConfig{Issuer: issuer, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p, clock
}

func update(t testing.TB, p *Publisher, content Content) {
	t.Helper()
	if err := p.Update(content); err != nil {
		t.Fatal(err)
	}
}

// ask sends one request, with headers as name and value in turn.
func ask(p *Publisher, method, path string, headers ...string) *http.Response {
	request := httptest.NewRequest(method, "http://jwks.example"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	p.ServeHTTP(recorder, request)
	return recorder.Result()
}

func content(t testing.TB, response *http.Response) string {
	t.Helper()
	var buffer bytes.Buffer
	if _, err := buffer.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return buffer.String()
}

func TestPublisherServesTheSet(t *testing.T) {
	p, _ := newPublisher(t, "")
	set := mustSet(t, oneOfEach(t)...)
	update(t, p, Content{Set: set})
	response := ask(p, "GET", SetPath)
	if response.StatusCode != 200 || content(t, response) != string(set.JSON()) {
		t.Errorf("status %d", response.StatusCode)
	}
	for name, want := range map[string]string{
		"Content-Type":           "application/jwk-set+json",
		"Cache-Control":          "public, max-age=300, must-revalidate",
		"Last-Modified":          "Thu, 01 Jan 2026 00:00:00 GMT",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if tag := response.Header.Get("ETag"); len(tag) != 24 || tag[0] != '"' {
		t.Errorf("ETag %s", tag)
	}
	head := ask(p, "HEAD", SetPath)
	if content(t, head) != "" || !reflect.DeepEqual(head.Header, response.Header) {
		t.Errorf("HEAD differs from GET: %v", head.Header)
	}
}

func TestPublisherServesNothingElse(t *testing.T) {
	p, _ := newPublisher(t, "")
	if got := ask(p, "GET", SetPath); got.StatusCode != 503 || got.Header.Get("Retry-After") != "1" || got.Header.Get("Cache-Control") != "" {
		t.Errorf("before the first content: %d %v", got.StatusCode, got.Header)
	}
	update(t, p, Content{})
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 404}, {"GET", "/.well-known", 404}, {"GET", "/.well-known/", 404}, {"GET", SetPath + "/", 404},
		{"GET", "//.well-known/jwks.json", 404}, {"GET", "/x/.." + SetPath, 404}, {"GET", "/.WELL-KNOWN/JWKS.JSON", 404},
		{"GET", DiscoveryPath, 404}, {"GET", SetPathPrefix + "payments.json", 404}, {"POST", "/", 404},
		{"POST", SetPath, 405}, {"PUT", SetPath, 405}, {"DELETE", SetPath, 405}, {"OPTIONS", SetPath, 405}, {"get", SetPath, 405},
		{"GET", SetPath + "?x=y", 200},
	} {
		response := ask(p, test.method, test.path)
		if response.StatusCode != test.status || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, response.StatusCode, test.status)
		}
		if allow := response.Header.Get("Allow"); (test.status == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s %s: Allow %q", test.method, test.path, allow)
		}
	}
}

func TestPublisherConditions(t *testing.T) {
	p, clock := newPublisher(t, "")
	clock.set(day(10))
	update(t, p, Content{Set: mustSet(t, oneOfEach(t)[0])})
	tag := ask(p, "GET", SetPath).Header.Get("ETag")
	at := func(on float64) string { return day(on).Format(http.TimeFormat) }
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"our tag", []string{"If-None-Match", tag}, 304},
		{"our tag, weak", []string{"If-None-Match", "W/" + tag}, 304},
		{"our tag in a list", []string{"If-None-Match", `"a", ` + tag}, 304},
		{"our tag in a second line", []string{"If-None-Match", `"a"`, "If-None-Match", tag}, 304},
		{"any", []string{"If-None-Match", "*"}, 304},
		{"another tag", []string{"If-None-Match", `"a"`}, 200},
		{"our tag without quotes", []string{"If-None-Match", strings.Trim(tag, `"`)}, 200},
		{"modified then", []string{"If-Modified-Since", at(10)}, 304},
		{"modified later", []string{"If-Modified-Since", at(11)}, 304},
		{"modified before", []string{"If-Modified-Since", at(9)}, 200},
		{"no time", []string{"If-Modified-Since", "yesterday"}, 200},
		{"another tag decides", []string{"If-None-Match", `"a"`, "If-Modified-Since", at(11)}, 200},
		{"a range is ignored", []string{"Range", "bytes=0-1"}, 200},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			response := ask(p, method, SetPath, test.headers...)
			if response.StatusCode != test.status {
				t.Errorf("%s %s: %d, want %d", method, test.name, response.StatusCode, test.status)
			}
			if response.Header.Get("ETag") != tag || response.Header.Get("Cache-Control") == "" {
				t.Errorf("%s %s: %v", method, test.name, response.Header)
			}
			if test.status == 304 && (content(t, response) != "" || response.Header.Get("Content-Type") != "") {
				t.Errorf("%s %s: a 304 with content", method, test.name)
			}
		}
	}
}

func TestMaxAgeNeverOutlivesTheNextChange(t *testing.T) {
	p, clock := newPublisher(t, "")
	change := day(1)
	update(t, p, Content{NextChange: change})
	for _, test := range []struct {
		before time.Duration
		want   string
	}{
		{24 * time.Hour, "max-age=300,"}, {300 * time.Second, "max-age=300,"}, {300*time.Second - 1, "max-age=299,"},
		{1500 * time.Millisecond, "max-age=1,"}, {time.Millisecond, "max-age=0,"}, {0, "max-age=0,"}, {-24 * time.Hour, "max-age=0,"},
	} {
		clock.set(change.Add(-test.before))
		if got := ask(p, "GET", SetPath).Header.Get("Cache-Control"); !strings.Contains(got, test.want) {
			t.Errorf("%s before the change: %s, want %s", test.before, got, test.want)
		}
	}
}

func TestPublisherUpdates(t *testing.T) {
	p, clock := newPublisher(t, "")
	keys := oneOfEach(t)
	one, two := mustSet(t, keys[0]), mustSet(t, keys[1])
	update(t, p, Content{Set: one})
	first := ask(p, "GET", SetPath).Header

	clock.set(day(1))
	update(t, p, Content{Set: one, NextChange: day(2)})
	if again := ask(p, "GET", SetPath).Header; again.Get("ETag") != first.Get("ETag") || again.Get("Last-Modified") != first.Get("Last-Modified") {
		t.Errorf("the same set looks new: %v, was %v", again, first)
	}
	update(t, p, Content{Set: two})
	second := ask(p, "GET", SetPath).Header
	if second.Get("ETag") == first.Get("ETag") || second.Get("Last-Modified") != day(1).Format(http.TimeFormat) {
		t.Errorf("another set looks the same: %v", second)
	}
	// A receiver that has the set of a moment ago must hear of the next one,
	// even within the second.
	update(t, p, Content{Set: one})
	third := ask(p, "GET", SetPath, "If-Modified-Since", second.Get("Last-Modified"))
	if third.StatusCode != 200 || third.Header.Get("Last-Modified") != "" {
		t.Errorf("two changes in a second: %d %v", third.StatusCode, third.Header)
	}
	clock.set(day(1).Add(time.Second))
	if got := ask(p, "GET", SetPath).Header.Get("Last-Modified"); got != day(1).Add(time.Second).Format(http.TimeFormat) {
		t.Errorf("Last-Modified %q a second later", got)
	}
}

func TestPublisherServesSetsApart(t *testing.T) {
	p, _ := newPublisher(t, "")
	keys := oneOfEach(t)
	both, one := mustSet(t, keys[0], keys[1]), mustSet(t, keys[0])
	update(t, p, Content{Set: both, Sets: map[string]Set{"payments": one}})
	response := ask(p, "GET", SetPathPrefix+"payments.json")
	if response.Header.Get("Content-Type") != setContentType || content(t, response) != string(one.JSON()) {
		t.Errorf("got %d %v", response.StatusCode, response.Header)
	}
	if err := p.Update(Content{Sets: map[string]Set{"../x": one}}); !errors.Is(err, ErrPublisher) || !errors.Is(err, ErrSetName) {
		t.Errorf("a bad name: %v", err)
	}
	if got := ask(p, "GET", SetPathPrefix+"payments.json"); got.StatusCode != 200 {
		t.Error("the old content did not stay after an error")
	}
	update(t, p, Content{Set: both})
	if got := ask(p, "GET", SetPathPrefix+"payments.json"); got.StatusCode != 404 {
		t.Errorf("a set that is no longer published: %d", got.StatusCode)
	}
}

func TestDiscovery(t *testing.T) {
	keys := oneOfEach(t)
	for _, test := range []struct{ issuer, base, uri string }{
		{"https://id.example.com", "", "https://id.example.com/.well-known/jwks.json"},
		{"https://id.example.com/", "", "https://id.example.com/.well-known/jwks.json"},
		{"https://id.example.com/tenant", "/tenant", "https://id.example.com/tenant/.well-known/jwks.json"},
		{"http://127.0.0.1:8080", "", "http://127.0.0.1:8080/.well-known/jwks.json"},
	} {
		p, _ := newPublisher(t, test.issuer)
		set := mustSet(t, keys[0], keys[3])
		update(t, p, Content{Set: set})
		response := ask(p, "GET", test.base+DiscoveryPath)
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %v", test.issuer, response.StatusCode, response.Header)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(content(t, response)), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"issuer": test.issuer, "jwks_uri": test.uri, "response_types_supported": []any{"id_token"},
			"subject_types_supported": []any{"public"}, "id_token_signing_alg_values_supported": []any{"ES256", "PS256"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for _, base := range []string{"", test.base} {
			if response := ask(p, "GET", base+SetPath); content(t, response) != string(set.JSON()) {
				t.Errorf("%s: no JWKS at its jwks_uri: %d", test.issuer, response.StatusCode)
			}
		}
	}
}

func TestNewPublisherRefuses(t *testing.T) {
	for name, config := range map[string]PublisherConfig{
		"no URL":              {Issuer: "id.example.com"},
		"plain HTTP":          {Issuer: "http://id.example.com"},
		"another scheme":      {Issuer: "urn:x:y"},
		"no host":             {Issuer: "https:///x"},
		"a query":             {Issuer: "https://id.example.com?x=y"},
		"an empty query":      {Issuer: "https://id.example.com?"},
		"a fragment":          {Issuer: "https://id.example.com#x"},
		"a user":              {Issuer: "https://u:secret@id.example.com"},
		"an escaped path":     {Issuer: "https://id.example.com/a%2fb"},
		"a space":             {Issuer: "https://id.example.com "},
		"a negative max-age":  {MaxAge: -1},
		"fewer than no peers": {MaxConnections: -1},
	} {
		_, err := NewPublisher(config)
		if !errors.Is(err, ErrPublisher) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a peer sends, the answer is one of five, never a redirect, and the
// content is nothing but what was published.
func FuzzPublisher(f *testing.F) {
	p, _ := newPublisher(f, "https://id.example.com/tenant")
	set := mustSet(f, oneOfEach(f)...)
	update(f, p, Content{Set: set, Sets: map[string]Set{"payments": set}})
	f.Add("GET", SetPath, "*", "")
	f.Add("HEAD", DiscoveryPath, `W/"a", "b"`, "Thu, 01 Jan 2026 00:00:00 GMT")
	f.Add("POST", SetPathPrefix+"payments.json", ",,,", "Thu")
	f.Add("", "/../..", `"`, "\x00")
	f.Fuzz(func(t *testing.T, method, path, tags, since string) {
		request := httptest.NewRequest("GET", "http://jwks.example/", nil)
		request.Method, request.URL.Path = method, path
		request.Header = http.Header{"If-None-Match": {tags}, "If-Modified-Since": {since}}
		recorder := httptest.NewRecorder()
		p.ServeHTTP(recorder, request)
		switch recorder.Code {
		case 404, 405:
		case 304:
			if recorder.Body.Len() != 0 {
				t.Fatal("a 304 with content")
			}
		case 200:
			if method == "GET" && !json.Valid(recorder.Body.Bytes()) || method == "HEAD" && recorder.Body.Len() != 0 {
				t.Fatalf("%s: %q", method, recorder.Body)
			}
		default:
			t.Fatalf("status %d", recorder.Code)
		}
	})
}

// Verifiers in browsers read the documents from other origins.
func TestCORS(t *testing.T) {
	p, _ := newPublisher(t, "https://id.example.com")
	update(t, p, Content{Set: mustSet(t, oneOfEach(t)...)})
	for _, path := range []string{SetPath, DiscoveryPath} {
		response := ask(p, "GET", path, "Origin", "https://app.example")
		if response.StatusCode != 200 || response.Header.Get("Access-Control-Allow-Origin") != "*" || response.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", path, response.StatusCode, response.Header)
		}
		preflight := ask(p, "OPTIONS", path, "Origin", "https://app.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "if-none-match")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "*", "Access-Control-Max-Age": "86400",
		} {
			if got := preflight.Header.Get(name); preflight.StatusCode != 204 || got != want {
				t.Errorf("%s: preflight %d, %s is %q, want %q", path, preflight.StatusCode, name, got, want)
			}
		}
	}
	if unknown := ask(p, "OPTIONS", "/x", "Access-Control-Request-Method", "GET"); unknown.StatusCode != 404 {
		t.Errorf("an unknown path: %d", unknown.StatusCode)
	}
}
