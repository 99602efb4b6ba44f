package hsm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
)

const secret = "31337-secret"

func TestPINNeverShows(t *testing.T) {
	pin := hsm.NewPIN([]byte(secret))
	text, err := json.Marshal(map[string]any{"pin": pin, "value": *pin})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "pin", pin, "value", *pin)
	hidden := struct {
		pin   *hsm.PIN
		value hsm.PIN
	}{pin, *pin}
	shown := []string{string(text), log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, pin), fmt.Sprintf(verb, *pin), fmt.Sprintf(verb, hidden),
			fmt.Sprintf(verb, hsm.PINSource{Value: pin}))
	}
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret)), fmt.Sprintf("%q", secret)} {
		for _, text := range shown {
			if strings.Contains(text, strings.Trim(form, "[]")) {
				t.Errorf("the PIN shows as %q", text)
			}
		}
	}
	if got := string(pin.Reveal()); got != secret {
		t.Errorf("Reveal gave %q", got)
	}
	pin.Zero()
	if pin.Reveal() != nil {
		t.Error("the PIN is still there after Zero")
	}
}

func TestPINSourceValidate(t *testing.T) {
	pin := hsm.NewPIN([]byte(secret))
	for name, test := range map[string]struct {
		source hsm.PINSource
		says   string // "" if valid
	}{
		"file":               {hsm.PINSource{File: "/x"}, ""},
		"credential":         {hsm.PINSource{Credential: "pin"}, ""},
		"command":            {hsm.PINSource{Command: []string{"/bin/cat", "x"}}, ""},
		"prompt":             {hsm.PINSource{Prompt: true}, ""},
		"value":              {hsm.PINSource{Value: pin}, ""},
		"none":               {hsm.PINSource{}, "no PIN source"},
		"two":                {hsm.PINSource{File: "/x", Prompt: true}, "file and prompt"},
		"credential path":    {hsm.PINSource{Credential: "../pin"}, "path"},
		"credential dots":    {hsm.PINSource{Credential: ".."}, "path"},
		"command by name":    {hsm.PINSource{Command: []string{"cat"}}, "absolute"},
		"command as a shell": {hsm.PINSource{Command: []string{"cat /x"}}, "absolute"},
	} {
		err := test.source.Validate()
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

func TestReadPINFromFile(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		want    string // "" if refused
		says    string
	}{
		"newline":         {secret + "\n", 0o600, secret, ""},
		"no newline":      {secret, 0o400, secret, ""},
		"CRLF":            {secret + "\r\n", 0o600, secret, ""},
		"inner spaces":    {" a b \n", 0o600, " a b ", ""},
		"longest":         {strings.Repeat("9", 255) + "\r\n", 0o600, strings.Repeat("9", 255), ""},
		"too long":        {strings.Repeat("9", 256) + "\n", 0o600, "", "255"},
		"much too long":   {strings.Repeat("9", 1<<20), 0o600, "", "255"},
		"empty":           {"", 0o600, "", "no PIN"},
		"newline alone":   {"\n", 0o600, "", "no PIN"},
		"two lines":       {secret + "\n" + secret + "\n", 0o600, "", "more than one line"},
		"NUL":             {secret + "\x00", 0o600, "", "NUL"},
		"group may read":  {secret, 0o640, "", "chmod 600"},
		"others may read": {secret, 0o604, "", "chmod 600"},
		"group may write": {secret, 0o620, "", "chmod 600"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pin")
			if err := errors.Join(os.WriteFile(path, []byte(test.content), 0o600), os.Chmod(path, test.mode)); err != nil {
				t.Fatal(err)
			}
			checkRead(t, hsm.PINSource{File: path}, test.want, test.says)
		})
	}
}

// checkRead reads the source and expects the PIN or, if want is "", an error
// that contains says.
func checkRead(t *testing.T, source hsm.PINSource, want, says string) {
	t.Helper()
	pin, err := source.Read(t.Context())
	if want != "" {
		if err != nil || string(pin.Reveal()) != want {
			t.Errorf("read %q (%v), want %q", pin.Reveal(), err, want)
		}
		return
	}
	if pin != nil || !errors.Is(err, hsm.ErrPINSource) || !strings.Contains(err.Error(), says) {
		t.Errorf("the error is %v, want one that says %q", err, says)
	}
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("the PIN is in the error: %v", err)
	}
}

func TestReadPINFromOtherSources(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	checkRead(t, hsm.PINSource{File: fifo}, "", "regular file")
	checkRead(t, hsm.PINSource{File: dir}, "", "regular file")
	checkRead(t, hsm.PINSource{File: filepath.Join(dir, "none")}, "", "no such file")
	checkRead(t, hsm.PINSource{}, "", "no PIN source")
}

func TestReadPINOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make such a file
	}
	path := filepath.Join(t.TempDir(), "pin")
	if err := errors.Join(os.WriteFile(path, []byte(secret), 0o600), os.Chown(path, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	checkRead(t, hsm.PINSource{File: path}, "", "chown")
}

func TestReadCredential(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	checkRead(t, hsm.PINSource{Credential: "pin"}, "", "CREDENTIALS_DIRECTORY")
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	path := filepath.Join(dir, "pin")
	// systemd grants access to the service's user by ACL, which looks like
	// group permissions.
	if err := errors.Join(os.WriteFile(path, []byte(secret), 0o600), os.Chmod(path, 0o440)); err != nil {
		t.Fatal(err)
	}
	checkRead(t, hsm.PINSource{Credential: "pin"}, secret, "")
	checkRead(t, hsm.PINSource{File: path}, secret, "")
	checkRead(t, hsm.PINSource{Credential: "other"}, "", "no such file")
}

func TestReadPINFromCommand(t *testing.T) {
	for name, test := range map[string]struct {
		command    []string
		want, says string
	}{
		"output":          {[]string{"/bin/echo", secret}, secret, ""},
		"no shell":        {[]string{"/bin/echo", "$HOME;x"}, "$HOME;x", ""},
		"failure":         {[]string{"/bin/sh", "-c", "echo " + secret + "; exit 3"}, "", "exit status 3"},
		"no output":       {[]string{"/bin/true"}, "", "no PIN"},
		"endless output":  {[]string{"/bin/sh", "-c", "head -c 1000000 /dev/zero"}, "", "255"},
		"no such program": {[]string{"/nowhere/pin"}, "", "no such file"},
		"reads input":     {[]string{"/bin/cat"}, "", "no PIN"},
	} {
		t.Run(name, func(t *testing.T) { checkRead(t, hsm.PINSource{Command: test.command}, test.want, test.says) })
	}
}

func TestPINCommandIsStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	// The grandchild keeps the pipe open after the shell is killed.
	_, err := hsm.PINSource{Command: []string{"/bin/sh", "-c", "sleep 20; echo 1"}}.Read(ctx)
	if !errors.Is(err, hsm.ErrPINSource) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("a command that takes too long: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v to give up", took)
	}
}
