package spelling

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"alg", "audiences", "dev", "dev-raw", "dev-rsa", "in_flight", "max_age", "pin", "profile", "use"}
	for given, want := range map[string]string{
		"audience": "audiences", "inflight": "in_flight", "MaxAge": "max_age", "pni": "pin", "algorithm": "alg",
		"profil": "profile", "dev-rw": "dev-raw", "dev-rs": "dev-rsa", "devs": "dev", "wholly-other": "", "x": "", "us": "",
	} {
		if got := Nearest(given, words); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}
