package accounts

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/assertd/assertd/internal/config"
)

// maxName is longer than any name of a user or group: LOGIN_NAME_MAX is 256.
const maxName = 1024

// A question and its answer are lines of JSON.
type question struct {
	Group bool   `json:"group"` // or else a user
	Name  string `json:"name"`
}

type answer struct {
	ID      uint32 `json:"id"`
	Unknown bool   `json:"unknown,omitempty"` // there is no such account
	Error   string `json:"error,omitempty"`   // the name services failed
}

var errName = errors.New("no account can have this name")

// Serve is the helper: it answers questions from in on out until in ends. The
// error means that in is not from a [Helper], or that out is closed.
func Serve(in io.Reader, out io.Writer, from config.Accounts) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return fmt.Errorf("not a question: %w", err)
		}
		if err := json.NewEncoder(out).Encode(q.answer(from)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (q question) answer(from config.Accounts) answer {
	id, err := q.look(from)
	switch {
	case errors.Is(err, config.ErrUnknownAccount):
		return answer{Unknown: true}
	case err != nil:
		return answer{Error: err.Error()}
	}
	return answer{ID: id}
}

func (q question) look(from config.Accounts) (uint32, error) {
	if err := q.check(); err != nil {
		return 0, err
	}
	if q.Group {
		return from.Group(q.Name)
	}
	return from.User(q.Name)
}

// check refuses a name that C code could misread, or that fits in no line.
func (q question) check() error {
	if len(q.Name) > maxName || strings.ContainsRune(q.Name, 0) {
		return errName
	}
	return nil
}
