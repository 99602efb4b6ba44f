package jwks

import (
	"encoding/json"
	"testing"
	"time"
)

func TestBundle(t *testing.T) {
	set := mustSet(t, oneOfEach(t)...)
	p, _ := newPublisher(t, "")
	update(t, p, Content{Set: set, Bundles: map[string]Set{"example.org": set}})
	response := ask(p, "GET", BundlePathPrefix+"example.org.json")
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "application/json" || response.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	var bundle struct {
		Refresh int              `json:"spiffe_refresh_hint"`
		Keys    []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal([]byte(content(t, response)), &bundle); err != nil {
		t.Fatal(err)
	}
	if bundle.Refresh != int(DefaultMaxAge/time.Second) || len(bundle.Keys) != set.Len() {
		t.Errorf("got %+v", bundle)
	}
	for _, key := range bundle.Keys {
		if _, found := set.Lookup(key["kid"].(string)); !found || key["use"] != "jwt-svid" || key["x5c"] != nil || key["d"] != nil {
			t.Errorf("got %v", key)
		}
	}
	if text, err := (Set{}).Bundle(0); err != nil || string(text) != `{"keys":[]}` {
		t.Errorf("an empty bundle: %s, %v", text, err)
	}
	if other := ask(p, "GET", BundlePathPrefix+"other.example.json"); other.StatusCode != 404 {
		t.Errorf("another trust domain: %d", other.StatusCode)
	}
}
