package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzVerify reads arbitrary files. Verify must end, must not panic, and must
// never accept a signature that no key made.
func FuzzVerify(f *testing.F) {
	key := ed25519Key(f)
	dir := f.TempDir()
	file, lines := signedLog(f, dir, key)
	f.Add(bytes.Join(lines, nil), []byte(nil))
	f.Add(bytes.Join(lines[:9], nil), bytes.Join(lines[9:], nil))
	f.Add(lines[0], lines[0])
	f.Add([]byte("{}\n"), []byte("{\"seq\":0"))
	for _, c := range tamperCases {
		if seed := bytes.Join(c.do(readLines(f, file)), nil); len(seed) < 64<<10 { // long seeds are slow to mutate
			f.Add(seed, []byte(nil))
		}
	}
	stranger := ecdsaKey(f)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		files := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
		check(t, os.WriteFile(files[0], a, 0o600))
		check(t, os.WriteFile(files[1], b, 0o600))
		r, err := Verify(context.Background(), files, VerifyOptions{Verifiers: stranger.verifiers})
		if err == nil && (r.Checkpoints != 0 || r.Covered != 0) {
			t.Errorf("accepted a signature: %+v", r)
		}
		if err == nil && r.Lines != int64(bytes.Count(a, []byte("\n"))+bytes.Count(b, []byte("\n"))) {
			t.Errorf("skipped lines: %+v", r)
		}
	})
}

// FuzzTampering changes, adds or removes bytes of a signed log. Verify must
// find any change to what the checkpoint covers.
func FuzzTampering(f *testing.F) {
	key := ed25519Key(f)
	dir := f.TempDir()
	file, lines := signedLog(f, dir, key)
	whole := bytes.Join(lines, nil)
	covered := len(whole) - len(lines[21])
	for _, at := range []int{0, 9, 60, covered / 2, covered - 2, covered - 1} {
		f.Add(at, 1, []byte("x"))
		f.Add(at, 0, []byte("\n"))
		f.Add(at, 500, []byte(nil))
	}
	f.Add(0, len(lines[0]), []byte(nil))
	f.Fuzz(func(t *testing.T, at, cut int, put []byte) {
		if at < 0 || at >= covered || cut < 0 || cut > len(whole)-at {
			return
		}
		changed := append(append(bytes.Clone(whole[:at]), put...), whole[at+cut:]...)
		check(t, os.WriteFile(file, changed, 0o600))
		r, err := Verify(context.Background(), []string{file}, VerifyOptions{Verifiers: key.verifiers})
		if err == nil && r.Covered > 0 && !bytes.HasPrefix(changed, whole[:covered]) {
			t.Errorf("passes as %+v", r)
		}
	})
}

// FuzzRecord checks the hand-written encoder against encoding/json, and that
// each record is one line.
func FuzzRecord(f *testing.F) {
	f.Add("jti", "/usr/bin/x", "value")
	f.Add("\x00\x1f\x7f\"\\", "\xff\xfe", "\u2028</script>\n")
	f.Add("ä€😀", "\xed\xa0\x80", "}\n{\"seq\":0")
	f.Add("\u009b31m", "/tmp/\u202egnp.exe", "\u009b2J\u2029\x7f")
	f.Fuzz(func(t *testing.T, jti, executable, claim string) {
		r := Record{Kind: KindRaw, Time: time.Unix(0, 0), JTI: jti, Code: claim, ClaimNames: []string{claim}, Digest: []byte(jti), Subject: claim, Audiences: []string{jti, claim}}
		r.Caller.Executable = executable
		r.Claims = map[string]any{"c": claim}
		r.Scope, r.Reason, r.ReportedBy, r.Until = jti, claim, executable, time.Unix(1_800_000_000, 0)
		body, err := r.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		var h head
		line := h.appendLine(nil, body)
		if bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", line)
		}
		if _, err := parseLink(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			t.Fatal(err)
		}
		var got struct {
			JTI, Code     string
			Scope, Reason string
			ReportedBy    string `json:"reported_by"`
			Subject       string
			Audiences     []string
			Until         time.Time
			Caller        struct{ Executable string }
			Names         []string `json:"claim_names"`
			Claims        map[string]string
		}
		if err := json.Unmarshal(line, &got); err != nil || !utf8.Valid(line) {
			t.Fatalf("%q: %v", line, err)
		}
		unprintable := func(r rune) bool { return r <= 0xffff && !strconv.IsPrint(r) }
		if i := bytes.IndexFunc(line[:len(line)-1], unprintable); i >= 0 {
			t.Fatalf("byte %d is not printable: %q", i, line)
		}
		want := func(s string) string { // encoding/json replaces invalid UTF-8
			b, _ := json.Marshal(s)
			_ = json.Unmarshal(b, &s)
			return s
		}
		if got.JTI != want(jti) || got.Caller.Executable != want(executable) || got.Code != want(claim) ||
			got.Subject != want(claim) || len(got.Audiences) != 2 || got.Audiences[0] != want(jti) || got.Audiences[1] != want(claim) ||
			got.Names[0] != want(claim) || got.Claims["c"] != want(claim) ||
			got.Scope != want(jti) || got.Reason != want(claim) || got.ReportedBy != want(executable) || !got.Until.Equal(r.Until) {
			t.Errorf("%q", line)
		}
	})
}

// FuzzCheckProof checks that only the proof itself, byte for byte, proves its
// record.
func FuzzCheckProof(f *testing.F) {
	key := ed25519Key(f)
	file, lines := signedLog(f, f.TempDir(), key)
	proof, err := Prove(context.Background(), []string{file}, "jti-000008", VerifyOptions{Verifiers: key.verifiers})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	f.Add(proof[:len(proof)/2])
	f.Add(bytes.Replace(proof, []byte("index 9"), []byte("index 8"), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := CheckProof(data, key.verifiers)
		if err == nil && !bytes.Equal(p.Line, bytes.TrimSuffix(lines[p.Seq], []byte("\n"))) {
			t.Errorf("proven of record %d: %q", p.Seq, p.Line)
		}
	})
}
