package main

import "testing"

func TestHintsKeepThePlace(t *testing.T) {
	for _, test := range []struct {
		args       []string
		text, want string
	}{
		{[]string{"key", "show"}, "run assertd key list", "run assertd key list"},
		{[]string{"key", "show", "--config", "/x y", "--on", "b"}, "run assertd key list", "run assertd key list --config '/x y' --on b"},
		{[]string{"key", "rotate", "--config", "/x"}, "run assertd key generate KEYSET, or wait", "run assertd key generate --config /x KEYSET, or wait"},
		{[]string{"key", "show", "--module", "/m.so", "--token", "a"}, "assertd key prune lists those; or assertd check", "assertd key prune --module /m.so --token a lists those; or assertd check"},
		{[]string{"check", "--config", "/x", "--pin-file", "/p"}, "run \"assertd key list --retry-pin\"", "run \"assertd key list --config /x --pin-file /p --retry-pin\""},
		{[]string{"check", "--config", "/x"}, "assertd key manages keys; assertd is running", "assertd key manages keys; assertd is running"},
		{[]string{"check", "--config", "/x"}, "run assertd key show k --config /y", "run assertd key show k --config /y"},
		{[]string{"check", "--config", "/x"}, "see assertd key csr --help", "see assertd key csr --help"},
		{[]string{"check", "--config", "/x"}, "see assertd profiles", "see assertd profiles"},
	} {
		cmd, rest, err := rootCommand().Find(test.args)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Fatal(err)
		}
		if got := keepPlace(cmd, test.text); got != test.want {
			t.Errorf("%q: %q, want %q", test.args, got, test.want)
		}
	}
}
