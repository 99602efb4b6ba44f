package uri

import (
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
	for given, want := range map[string]string{
		"https://as.example":                     "https://as.example/",
		"HTTPS://AS.Example:443/Token":           "https://as.example/Token",
		"https://as.example:/token":              "https://as.example/token",
		"https://as.example:80/":                 "https://as.example:80/",
		"http://127.0.0.1:80/":                   "http://127.0.0.1/",
		"http://[::1]:8080/x":                    "http://[::1]:8080/x",
		"https://[2001:DB8::1]:443":              "https://[2001:db8::1]/",
		"https://as.example/token?a=b#c":         "https://as.example/token",
		"https://as.example/a/./b/../c":          "https://as.example/a/c",
		"https://as.example/a/b/..":              "https://as.example/a/",
		"https://as.example/../..":               "https://as.example/",
		"https://as.example/..a/.b/":             "https://as.example/..a/.b/",
		"https://as.example/%7euser/%2e%2e/x":    "https://as.example/x",
		"https://as.example/a%2fb%c3%a4/%41":     "https://as.example/a%2Fb%C3%A4/A",
		"https://as.example/\u00e4":              "https://as.example/%C3%A4",
		"https://as.example//a//b/":              "https://as.example//a//b/",
		"https://as.example/a;v=1,2/@:!$&'()*+=": "https://as.example/a;v=1,2/@:!$&'()*+=",
	} {
		got, err := Normalize(given)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", given, got, err, want)
		}
		if again, err := Normalize(got); err != nil || again != got {
			t.Errorf("%s: normalized twice: %s, %v", given, again, err)
		}
	}
	for _, given := range []string{"", "as.example", "/token", "urn:a:b", "ftp://as.example/", "https://", "https:///a", "https://u@as.example/", "https:a", "https://a/%zz", "https://:443/", "https://%25/", "https://\u00e4.example/", "https://[fe80::1%25lo]/"} {
		if got, err := Normalize(given); err == nil {
			t.Errorf("%q: got %s", given, got)
		}
	}
}

func TestCheckIssuer(t *testing.T) {
	for given, says := range map[string]string{
		"https://id.example.com": "", "https://id.example.com/": "", "https://id.example.com/a/b": "", "https://id.example.com/a/": "",
		"http://127.0.0.1:8080/x":        "",
		"https://id.example.com//":       "two slashes",
		"https://id.example.com/a//b":    "two slashes",
		"https://id.example.com/a///":    "two slashes",
		"https://ID.example.com/a":       "write https://id.example.com/a",
		"https://id.example.com:443":     "write https://id.example.com",
		"https://id.example.com/a/../b/": "write https://id.example.com/b",
		"https://id.example.com/%61":     "write https://id.example.com/a",
		"id.example.com":                 "not an absolute",
	} {
		if err := CheckIssuer(given); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", given, err, says)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("https://as.example/%2e%2E/a//b/../c?x#y")
	f.Add("HTTP://[::1%25lo]:80/./%")
	f.Fuzz(func(t *testing.T, given string) {
		once, err := Normalize(given)
		if err != nil {
			return
		}
		if twice, err := Normalize(once); err != nil || twice != once {
			t.Errorf("%q: %q, then %q, %v", given, once, twice, err)
		}
	})
}
