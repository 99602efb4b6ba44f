package hsm_test

import (
	"context"
	"crypto"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

func TestOpenByLabelAndSerial(t *testing.T) {
	soft := softhsm.New(t)
	for name, cfg := range map[string]hsm.Config{
		"label":  {Label: soft.Label},
		"serial": {Serial: soft.Serial},
		"both":   {Label: soft.Label, Serial: soft.Serial},
	} {
		t.Run(name, func(t *testing.T) {
			token := reopen(t, soft, func(c *hsm.Config) { c.Label, c.Serial = cfg.Label, cfg.Serial })
			if info := token.Info(); info.Label != soft.Label || info.Serial != soft.Serial {
				t.Errorf("opened %+v, want %s (serial %s)", info, soft.Label, soft.Serial)
			}
			if err := errors.Join(token.Close(), token.Close()); err != nil {
				t.Errorf("closing twice: %v", err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	soft := softhsm.New(t)
	twin := soft.Add("twin")
	soft.Add("twin")
	text := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(t.TempDir(), "shared.so")
	if err := errors.Join(os.WriteFile(shared, nil, 0o600), os.Chmod(shared, 0o666)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cfg  hsm.Config
		pin  string
		kind error
		says []string
	}{
		"no module":          {hsm.Config{Module: "/nowhere/module.so", Label: "x"}, "1", hsm.ErrModule, []string{"/nowhere/module.so", "install"}},
		"relative path":      {hsm.Config{Module: "module.so", Label: "x"}, "1", hsm.ErrModule, []string{"absolute"}},
		"a directory":        {hsm.Config{Module: "/usr/lib", Label: "x"}, "1", hsm.ErrModule, []string{"isn't a regular file"}},
		"no library":         {hsm.Config{Module: text, Label: "x"}, "1", hsm.ErrModule, []string{"isn't a shared library"}},
		"no PKCS#11":         {hsm.Config{Module: libc(t, soft.Module), Label: "x"}, "1", hsm.ErrModule, []string{"C_GetFunctionList"}},
		"others may write":   {hsm.Config{Module: shared, Label: "x"}, "1", hsm.ErrModule, []string{"chmod go-w"}},
		"no selector":        {hsm.Config{Module: soft.Module}, "1", hsm.ErrTokenNotFound, []string{"label"}},
		"unknown label":      {hsm.Config{Module: soft.Module, Label: "other"}, "1", hsm.ErrTokenNotFound, []string{`"other"`, soft.Label, soft.Serial}},
		"unknown serial":     {hsm.Config{Module: soft.Module, Serial: "0"}, "1", hsm.ErrTokenNotFound, []string{soft.Serial}},
		"label of another":   {hsm.Config{Module: soft.Module, Label: "twin", Serial: soft.Serial}, "1", hsm.ErrTokenNotFound, []string{"twin", soft.Serial}},
		"two with the label": {hsm.Config{Module: soft.Module, Label: "twin"}, twin.PIN, hsm.ErrAmbiguous, []string{"serial", twin.Serial}},
		"empty PIN":          {hsm.Config{Module: soft.Module, Label: soft.Label}, "", hsm.ErrPINSource, []string{"empty"}},
		"wrong PIN":          {hsm.Config{Module: soft.Module, Label: soft.Label}, "wrong-pin", hsm.ErrPINIncorrect, []string{"once", soft.Label}},
		"short PIN":          {hsm.Config{Module: soft.Module, Label: soft.Label}, "1", hsm.ErrPINIncorrect, []string{"once"}},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := hsm.Open(test.cfg, hsm.NewPIN([]byte(test.pin)))
			if token != nil || !errors.Is(err, test.kind) {
				t.Fatalf("opened %v with error %v, want %v", token, err, test.kind)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q doesn't say %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "wrong-pin") {
				t.Errorf("%q has the PIN in it", err)
			}
		})
	}
	reopen(t, soft) // nothing above left the module in a bad state
}

// libc is a shared library that isn't a PKCS#11 module: one that the module
// links.
func libc(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("ldd", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") && strings.Contains(word, "libc.so") {
			return word
		}
	}
	t.Fatalf("no libc in %s", out)
	return ""
}

func TestWrongPINIsTriedOnce(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	for name, value := range module.Environment() {
		t.Setenv(name, value)
	}
	cfg := hsm.Config{Module: module.Path(), Label: soft.Label}
	_, err := hsm.Open(cfg, hsm.NewPIN([]byte("wrong-pin")))
	var answer *hsm.Error
	if !errors.Is(err, hsm.ErrPINIncorrect) || !errors.As(err, &answer) || hsm.CodeName(answer.Code) != "CKR_PIN_INCORRECT" {
		t.Errorf("opened with a wrong PIN: %v", err)
	}
	if calls := module.Calls(t, "C_Login"); calls != 1 {
		t.Errorf("C_Login was called %d times, want once", calls)
	}
	token, err := hsm.Open(cfg, hsm.NewPIN([]byte(soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	if calls := module.Calls(t, "C_Login"); calls != 2 {
		t.Errorf("C_Login was called %d times for one refused and one accepted PIN", calls)
	}
}

// A slot that doesn't answer makes crypto11 fail. This package must still find
// the token behind it.
func TestSilentSlotIsSkipped(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	other := soft.Add("other")
	for name, value := range module.Environment() {
		t.Setenv(name, value)
	}
	opened := 0
	for _, wanted := range []*softhsm.Token{soft, other} {
		// crypto11 fails at the first slot. The search without it finds the
		// token in the second, but not the one in the first.
		module.Set(t, "C_GetTokenInfo", faulty.Fault{Action: faulty.Return, Code: 0x30, Limit: 2})
		token, err := hsm.Open(hsm.Config{Module: module.Path(), Label: wanted.Label}, hsm.NewPIN([]byte(wanted.PIN)))
		if err != nil {
			if !strings.Contains(err.Error(), "1 slots don't answer") {
				t.Errorf("%s: %v", wanted.Label, err)
			}
			continue
		}
		opened++
		for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
			generate(t, token, string(typ), typ)
		}
		if err := token.Close(); err != nil {
			t.Error(err)
		}
	}
	if opened != 1 {
		t.Errorf("%d of the two tokens were opened, want the one whose slot answers", opened)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	first, soft := open(t)
	key := generate(t, first, "key", hsm.P256)
	// The process is logged in, so any PIN would be accepted.
	_, err := hsm.Open(hsm.Config{Module: soft.Module, Label: soft.Label}, hsm.NewPIN([]byte("wrong-pin")))
	if err == nil || !strings.Contains(err.Error(), "already has token") {
		t.Errorf("a second Open: %v", err)
	}
	if err := key.Prove(context.Background(), ""); err != nil {
		t.Errorf("the first stopped working: %v", err)
	}
}

func TestTwoTokensOfOneModule(t *testing.T) {
	soft := softhsm.New(t)
	other := soft.Add("other")
	first, second := reopen(t, soft), reopen(t, other)
	key := generate(t, second, "key", hsm.P256)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := key.Prove(context.Background(), ""); err != nil {
		t.Errorf("closing one token broke the other: %v", err)
	}
}

func TestClosedToken(t *testing.T) {
	token, _ := open(t)
	key := generate(t, token, "key", hsm.P256)
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	_, signErr := key.Sign(nil, make([]byte, 32), crypto.SHA256)
	_, findErr := token.Find(hsm.Selector{Label: "key"})
	_, generateErr := token.Generate(hsm.Spec{Label: "new", Type: hsm.P256})
	for call, err := range map[string]error{
		"Sign": signErr, "Find": findErr, "Generate": generateErr,
		"Destroy": token.Destroy(key), "Refresh": token.Refresh(context.Background()),
	} {
		if !errors.Is(err, hsm.ErrClosed) || !hsm.IsFatal(err) {
			t.Errorf("%s of a closed token: %v", call, err)
		}
	}
}

func TestInitToken(t *testing.T) {
	soft := softhsm.New(t)
	soPIN, pin := hsm.NewPIN([]byte("so-pin-1")), hsm.NewPIN([]byte("user-pin-1"))
	serial, err := hsm.InitToken(soft.Module, "made here", soPIN, pin)
	if err != nil {
		t.Fatal(err)
	}
	token, err := hsm.Open(hsm.Config{Module: soft.Module, Label: "made here"}, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	if token.Info().Serial != serial {
		t.Errorf("the token has serial %s, InitToken gave %s", token.Info().Serial, serial)
	}
	generate(t, token, "key", hsm.P256)
	for name, label := range map[string]string{"taken": "made here", "empty": "", "long": strings.Repeat("x", 33)} {
		if _, err := hsm.InitToken(soft.Module, label, soPIN, pin); err == nil {
			t.Errorf("a %s label was accepted", name)
		}
	}
	if _, err := hsm.InitToken(soft.Module, "beside an open one", soPIN, pin); err != nil {
		t.Errorf("a token beside an open one: %v", err)
	}
	if _, err := token.Find(hsm.Selector{Label: "key"}); err != nil {
		t.Errorf("making a token disturbed an open one: %v", err)
	}
}
