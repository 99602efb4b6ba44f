package serviceaccount

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// bound is a token's claims as kube-apiserver v1.37 writes them.
const bound = `{"aud":["https://kubernetes.default.svc"],"exp":1795867200,"iat":1795863600,"iss":"https://k8s.example/prod","jti":"0c5b7e3c-7d0e-4a51-9d34-8c7a5e5b4b0a",` +
	`"kubernetes.io":{"namespace":"payments","node":{"name":"node-1","uid":"5d0d1a6e"},"pod":{"name":"api-0","uid":"f2c3"},"serviceaccount":{"name":"api","uid":"9a11"},"warnafter":1795867207},` +
	`"nbf":1795863600,"sub":"system:serviceaccount:payments:api"}`

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func limits() Limits { return Limits{Issuer: "https://k8s.example/prod", MaxExpiration: time.Hour} }

func issuedAt() time.Time { return time.Unix(1795863600, 0) }

func TestParse(t *testing.T) {
	c, err := Parse(encoded(bound))
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject() != "system:serviceaccount:payments:api" || c.ID != "0c5b7e3c-7d0e-4a51-9d34-8c7a5e5b4b0a" || len(c.Audiences) != 1 {
		t.Errorf("got %+v", c)
	}
	if err := limits().Check(c, issuedAt()); err != nil {
		t.Error(err)
	}
}

// TestParseRefuses checks every way in which claims could be read in two ways,
// or say what no token of a service account says.
func TestParseRefuses(t *testing.T) {
	replace := func(old, new string) string {
		t.Helper()
		changed := strings.Replace(bound, old, new, 1)
		if changed == bound {
			t.Fatalf("no %s in the claims", old)
		}
		return encoded(changed)
	}
	for name, payload := range map[string]string{
		"empty":                      "",
		"not base64":                 "!!!",
		"padded":                     encoded(bound) + "=",
		"standard alphabet":          strings.NewReplacer("-", "+", "_", "/").Replace(encoded(`{"iss":"???>>>"}`)),
		"a line break":               encoded(bound)[:8] + "\n" + encoded(bound)[8:],
		"loose last bits":            "e31",
		"a second segment":           encoded(bound) + "." + encoded(bound),
		"not an object":              encoded(`["aud"]`),
		"trailing bytes":             encoded(bound + "{}"),
		"trailing garbage":           encoded(bound + "x"),
		"a byte order mark":          encoded("\xef\xbb\xbf" + bound),
		"invalid UTF-8":              replace("api-0", "api-\xff"),
		"a repeated issuer":          replace(`"iss"`, `"iss":"https://other.example","iss"`),
		"an issuer escaped twice":    replace(`"iss"`, `"\u0069ss":"https://other.example","iss"`),
		"a repeated subject":         replace(`"sub"`, `"sub":"system:serviceaccount:kube-system:admin","sub"`),
		"a repeated private claim":   replace(`"namespace"`, `"namespace":"kube-system","namespace"`),
		"a repeated unknown claim":   replace(`"warnafter"`, `"warnafter":1,"warnafter"`),
		"another case of iss":        replace(`"iss"`, `"Iss":"https://other.example","iss"`),
		"another case only":          replace(`"iss"`, `"ISS"`),
		"another case of namespace":  replace(`"namespace"`, `"Namespace":"kube-system","namespace"`),
		"another case of account":    replace(`"serviceaccount"`, `"serviceAccount":{"name":"admin"},"serviceaccount"`),
		"another case of name":       replace(`"name":"api","uid"`, `"Name":"admin","name":"api","uid"`),
		"a long s in the claim":      replace(`"namespace"`, `"name\u017fpace":"kube-system","namespace"`),
		"an unknown claim":           replace(`"iss"`, `"groups":["system:masters"],"iss"`),
		"no private claims":          replace(`"kubernetes.io"`, `"k8s.io"`),
		"null private claims":        encoded(`{"aud":["a"],"sub":"system:serviceaccount:payments:api","kubernetes.io":null}`),
		"another namespace inside":   replace(`"namespace":"payments"`, `"namespace":"kube-system"`),
		"another account inside":     replace(`"name":"api","uid"`, `"name":"admin","uid"`),
		"a namespace that's no text": replace(`"namespace":"payments"`, `"namespace":["payments"]`),
		"a null namespace":           replace(`"namespace":"payments"`, `"namespace":null`),
		"a user as subject":          replace(`system:serviceaccount:payments:api`, `system:masters`),
		"no name in the subject":     replace(`system:serviceaccount:payments:api`, `system:serviceaccount:payments`),
		"a colon in the name":        replace(`system:serviceaccount:payments:api`, `system:serviceaccount:payments:api:x`),
		"a slash in the subject":     replace(`system:serviceaccount:payments:api`, `system:serviceaccount:payments/x:api`),
		"capitals in the subject":    replace(`system:serviceaccount:payments:api`, `system:serviceaccount:Payments:api`),
		"an asterisk":                replace(`system:serviceaccount:payments:api`, `system:serviceaccount:payments:*`),
		"no audience":                replace(`["https://kubernetes.default.svc"]`, `[]`),
		"a null audience":            replace(`["https://kubernetes.default.svc"]`, `null`),
		"an empty audience":          replace(`["https://kubernetes.default.svc"]`, `[""]`),
		"one text as audience":       replace(`["https://kubernetes.default.svc"]`, `"https://kubernetes.default.svc"`),
		"a line break in audience":   replace(`["https://kubernetes.default.svc"]`, `["a\nb"]`),
		"a long audience":            replace(`https://kubernetes.default.svc`, strings.Repeat("a", maxAudience+1)),
		"33 audiences":               replace(`["https://kubernetes.default.svc"]`, `["a"`+strings.Repeat(`,"a"`, maxAudiences)+`]`),
		"4 MB of audiences":          replace(`["https://kubernetes.default.svc"]`, `["a"`+strings.Repeat(`,"a"`, 1<<20)+`]`),
		"a fraction":                 replace(`"exp":1795867200`, `"exp":1795867200.5`),
		"an exponent":                replace(`"exp":1795867200`, `"exp":1e12`),
		"text as a time":             replace(`"exp":1795867200`, `"exp":"1795867200"`),
		"a time out of range":        replace(`"exp":1795867200`, `"exp":99999999999999999999`),
		"a control character in jti": replace(`0c5b7e3c`, `\u0007`),
		"a long jti":                 replace(`0c5b7e3c`, strings.Repeat("0", maxText)),
		"deep nesting":               replace(`"warnafter":1795867207`, `"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)),
	} {
		c, err := Parse(payload)
		var refused *Error
		if !errors.As(err, &refused) || c.Issuer != "" && err == nil {
			t.Errorf("%s: got %+v, %v", name, c, err)
			continue
		}
		if len(refused.Detail) > 200 || strings.Contains(refused.Detail, "json") {
			t.Errorf("%s: the detail says too much: %s", name, refused.Detail)
		}
	}
}

func TestLimits(t *testing.T) {
	c, err := Parse(encoded(bound))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*Claims, *Limits)
		want   ipc.Code
	}{
		"another issuer":         {func(c *Claims, _ *Limits) { c.Issuer += "/" }, ipc.CodeClaimNotAllowed},
		"no issuer at all":       {func(c *Claims, l *Limits) { c.Issuer, l.Issuer = "", "" }, ipc.CodeClaimNotAllowed},
		"issued too early":       {func(c *Claims, _ *Limits) { c.IssuedAt -= 61 }, ipc.CodeClaimNotAllowed},
		"issued in the future":   {func(c *Claims, _ *Limits) { c.IssuedAt += 61 }, ipc.CodeClaimNotAllowed},
		"not issued":             {func(c *Claims, _ *Limits) { c.IssuedAt = 0 }, ipc.CodeClaimNotAllowed},
		"valid too early":        {func(c *Claims, _ *Limits) { c.NotBefore -= 61 }, ipc.CodeClaimNotAllowed},
		"valid in the future":    {func(c *Claims, _ *Limits) { c.NotBefore += 61 }, ipc.CodeClaimNotAllowed},
		"without nbf":            {func(c *Claims, _ *Limits) { c.NotBefore = 0 }, ipc.CodeClaimNotAllowed},
		"a second too long":      {func(c *Claims, _ *Limits) { c.ExpiresAt++ }, ipc.CodeLifetimeNotAllowed},
		"for ever":               {func(c *Claims, _ *Limits) { c.ExpiresAt = 1<<63 - 1 }, ipc.CodeLifetimeNotAllowed},
		"expired at once":        {func(c *Claims, _ *Limits) { c.ExpiresAt = c.IssuedAt }, ipc.CodeLifetimeNotAllowed},
		"without exp":            {func(c *Claims, _ *Limits) { c.ExpiresAt = 0 }, ipc.CodeLifetimeNotAllowed},
		"expired, long long ago": {func(c *Claims, _ *Limits) { c.ExpiresAt = -1 << 63 }, ipc.CodeLifetimeNotAllowed},
	} {
		changed, l := c, limits()
		test.change(&changed, &l)
		var refused *Error
		if err := l.Check(changed, issuedAt()); !errors.As(err, &refused) || refused.Code != test.want {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// FuzzParse checks what must hold of all claims that are accepted: another
// reader finds the same in them, and nothing that a receiver may go by is left
// unread.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{bound, `{}`, `{"iss":1}`, strings.Replace(bound, `"iss"`, `"Iss":"x","iss"`, 1), strings.Replace(bound, "payments", "\\u0070ayments", 2)} {
		f.Add(encoded(seed))
	}
	f.Fuzz(func(t *testing.T, payload string) { checkParsed(t, payload) })
}
