package hsm

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/assertd/assertd/internal/secret"
	"github.com/assertd/assertd/internal/trustpath"
)

// maxPIN is the longest PIN accepted, in bytes; CK_TOKEN_INFO.ulMaxPinLen of
// real tokens is at most 255.
const maxPIN = 255

// PINSource says where the PIN comes from. Exactly one source is set. There is
// no field for a literal PIN in the configuration, an environment variable or
// an argument: those end up in dumps and process lists.
type PINSource struct {
	// File is a file that only root and the user that this process runs as can
	// read or replace (trustpath.Secret).
	File string
	// Credential is the name of a systemd credential: a file in
	// $CREDENTIALS_DIRECTORY.
	Credential string
	// Command is the absolute path of a program and its arguments. Others can't
	// change the program, nor a file among the arguments. It runs without a shell
	// and without input, has 20 seconds, and prints the PIN.
	Command []string
	// Prompt asks on /dev/tty, without echo. Question is what it asks; empty for
	// the token's PIN.
	Prompt   bool
	Question string
	// Pad lets a person enter the PIN on the token's own pad
	// (CKF_PROTECTED_AUTHENTICATION_PATH). Open then waits for that.
	Pad bool
	// None is for a token that needs no login (CKF_LOGIN_REQUIRED is not set).
	None bool
	// Value is a PIN that was already read, such as one that was received over
	// a socket.
	Value *PIN

	// Trust relaxes who may have access to the file or the program.
	Trust trustpath.Rules
}

// Validate refuses a source with none set, or two, or with one that can't
// work. It reads nothing.
func (s PINSource) Validate() error {
	var given []string
	add := func(name string, set bool) {
		if set {
			given = append(given, name)
		}
	}
	add("file", s.File != "")
	add("credential", s.Credential != "")
	add("command", len(s.Command) > 0)
	add("prompt", s.Prompt)
	add("pad", s.Pad)
	add("none", s.None)
	add("value", s.Value != nil)
	switch {
	case len(given) == 0:
		return errors.New("hsm: no PIN source; set one of file, credential, command, prompt, pad or none")
	case len(given) > 1:
		return fmt.Errorf("hsm: %s are set as PIN sources; keep one", strings.Join(given, " and "))
	case s.Credential != "" && (filepath.Base(s.Credential) != s.Credential || strings.Trim(s.Credential, ".") == ""):
		return fmt.Errorf("hsm: credential %q is a path; give only the name that LoadCredential= uses", s.Credential)
	case len(s.Command) > 0 && !filepath.IsAbs(s.Command[0]):
		return fmt.Errorf("hsm: PIN command %q is not an absolute path; give the program's absolute path", s.Command[0])
	}
	return nil
}

// Read reads the PIN and strips one newline at the end. It refuses an empty
// PIN, and one with a NUL byte, where the module would cut it off. Errors are
// ErrPINSource; none contains anything that was read.
func (s PINSource) Read(ctx context.Context) (*PIN, error) {
	if err := s.Validate(); err != nil {
		return nil, fail(ErrPINSource, nil, "%s", strings.TrimPrefix(err.Error(), "hsm: "))
	}
	switch {
	case s.Pad:
		return &PIN{how: byPad}, nil
	case s.None:
		return &PIN{how: byNone}, nil
	}
	raw, err := s.raw(ctx)
	defer clear(raw)
	if err != nil {
		return nil, fail(ErrPINSource, err, "the PIN can't be read from %s", s.name())
	}
	pin := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	switch {
	case len(pin) == 0:
		return nil, fail(ErrPINSource, nil, "%s contains no PIN", s.name())
	case len(pin) > maxPIN:
		return nil, fail(ErrPINSource, nil, "%s contains more than %d bytes, the maximum for a PIN", s.name(), maxPIN)
	case bytes.ContainsAny(pin, "\x00\n"):
		return nil, fail(ErrPINSource, nil, "%s contains more than one line, or a NUL byte; "+
			"it must contain only the PIN", s.name())
	}
	return NewPIN(pin), nil
}

// Passed is the source of a PIN that was read from s: the PIN itself, where
// there is one.
func (s PINSource) Passed(pin *PIN) PINSource {
	if s.Pad || s.None {
		return s
	}
	return PINSource{Value: pin}
}

func (s PINSource) name() string {
	switch {
	case s.Prompt:
		return "the prompt"
	case s.Value != nil:
		return "the value passed in"
	}
	return s.secret().String()
}

func (s PINSource) secret() secret.Source {
	return secret.Source{File: s.File, Credential: s.Credential, Command: s.Command, Trust: s.Trust}
}

func (s PINSource) raw(ctx context.Context) ([]byte, error) {
	switch {
	case s.Prompt:
		return promptPIN(ctx, cmp.Or(s.Question, "PIN of the token: "))
	case s.Value != nil:
		return s.Value.Reveal(), nil
	}
	return s.secret().Raw(ctx, maxPIN+3) // CR, LF, and one byte too many
}
