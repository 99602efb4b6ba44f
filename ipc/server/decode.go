package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/assertd/assertd/ipc"
)

// decoder reads requests token by token. Its tokenizer refuses repeated names
// at any depth and text that is not UTF-8. encoding/json won't do: it accepts
// members in any case, keeps the last of several, and takes null for any value.
type decoder struct {
	tokens *jsontext.Decoder
	body   bytes.Buffer // read by tokens without a copy
}

// decoders are reused, since the tables of a tokenizer cost more than the
// tokens.
var decoders = sync.Pool{New: func() any { return &decoder{tokens: new(jsontext.Decoder)} }}

// memberError says what is wrong with a member, or with the body if pointer is
// "".
type memberError struct{ pointer, problem string }

func (e *memberError) Error() string {
	if e.pointer == "" {
		return "The body " + e.problem
	}
	return "Member " + strconv.Quote(e.pointer) + " " + e.problem
}

// errorf makes an error about the value that was read last or comes next.
func (d *decoder) errorf(format string, args ...any) error {
	return &memberError{string(d.tokens.StackPointer()), fmt.Sprintf(format, args...)}
}

// decodeBody decodes the whole body with read. It returns a problem for
// anything that is not exactly what the API describes.
func decodeBody(body []byte, read func(*decoder) error) error {
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	d.body = *bytes.NewBuffer(body)
	d.tokens.Reset(&d.body)
	err := read(d)
	if err == nil {
		err = d.end()
	}
	if err == nil {
		return nil
	}
	var problem *ipc.Problem
	if errors.As(err, &problem) {
		return problem
	}
	return ipc.NewProblem(ipc.CodeMalformedRequest, malformedDetail(err))
}

func (d *decoder) end() error {
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return &memberError{"", "has bytes after the JSON document; send only one document"}
	}
	return nil
}

// malformedDetail puts an error into a sentence. It limits the length, since
// the caller may have sent a name of 64 KiB.
func malformedDetail(err error) string {
	var syntax *jsontext.SyntacticError
	text := ""
	switch {
	case errors.Is(err, io.EOF):
		text = "The body is empty; send a JSON object"
	case errors.Is(err, io.ErrUnexpectedEOF):
		text = "The JSON document ends too early"
	case errors.Is(err, jsontext.ErrDuplicateName):
		text = "A member is given twice; send it once:" + strings.TrimPrefix(err.Error(), "jsontext: "+jsontext.ErrDuplicateName.Error())
	case errors.As(err, &syntax):
		text = "The body is not JSON: " + strings.TrimPrefix(err.Error(), "jsontext: ")
	default:
		text = err.Error()
	}
	const limit = 300
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text + "."
}

// object reads an object. It calls member for each name, to read the value.
func (d *decoder) object(member func(name string) error) error {
	if err := d.expect('{', "must be an object"); err != nil {
		return err
	}
	for d.tokens.PeekKind() != '}' {
		name, err := d.tokens.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := d.tokens.ReadToken()
	return err
}

// array reads an array. It calls element to read each value.
func (d *decoder) array(element func() error) error {
	if err := d.expect('[', "must be an array"); err != nil {
		return err
	}
	for d.tokens.PeekKind() != ']' {
		if d.tokens.PeekKind() == 0 {
			_, err := d.tokens.ReadToken()
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.tokens.ReadToken()
	return err
}

func (d *decoder) expect(kind jsontext.Kind, problem string) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != kind {
		return d.errorf("%s", problem)
	}
	return nil
}

func (d *decoder) unknown(known string) error {
	return d.errorf("is unknown; the members of this request are %s, in lower case", known)
}

// text reads a string of 1 to limit bytes.
func (d *decoder) text(into *string, limit int) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '"' {
		return d.errorf("must be a string")
	}
	*into = token.String()
	if n := len(*into); n == 0 || n > limit {
		return d.errorf("must have 1 to %d bytes; leave it out to get the default, if it has one", limit)
	}
	return nil
}

// seconds reads a positive integer, written without a fraction or exponent.
func (d *decoder) seconds(into *int64) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() == '0' {
		n, err := strconv.ParseInt(token.String(), 10, 64)
		if err == nil && n >= 1 && n <= math.MaxInt32 {
			*into = n
			return nil
		}
	}
	return d.errorf("must be a whole number of seconds from 1 to %d; leave it out to get the default", math.MaxInt32)
}

// bytes reads base64 in its canonical form: standard alphabet, padding, no line
// breaks.
func (d *decoder) bytes(into *[]byte, limit int) error {
	var text string
	if err := d.text(&text, base64.StdEncoding.EncodedLen(limit)); err != nil {
		return err
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return d.errorf("must be standard base64 with padding (RFC 4648, section 4)")
	}
	if len(decoded) > limit {
		return d.errorf("must have at most %d bytes", limit)
	}
	*into = decoded
	return nil
}

// claims reads an object of JSON values other than null, each nested at most
// MaxClaimDepth deep.
func (d *decoder) claims(into *map[string]json.RawMessage) error {
	*into = make(map[string]json.RawMessage)
	return d.object(func(name string) error {
		value, err := d.tokens.ReadValue()
		if err != nil {
			return err
		}
		switch {
		case value.Kind() == 'n':
			return d.errorf("must not be null; leave the claim out")
		case depth(value) > ipc.MaxClaimDepth:
			return d.errorf("must not be nested more than %d deep", ipc.MaxClaimDepth)
		}
		(*into)[name] = json.RawMessage(bytes.Clone(value))
		return nil
	})
}

// depth returns how deep a valid value nests arrays and objects.
func depth(value []byte) int {
	deepest, now, inString := 0, 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
