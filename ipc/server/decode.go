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

// decoder reads requests token by token from a tokenizer that refuses repeated
// names at any depth and text that is not UTF-8. encoding/json is not used: it
// takes a member in any case, the last of several, and null for anything.
type decoder struct {
	tokens *jsontext.Decoder
	body   bytes.Buffer // what tokens reads, without a copy
}

// decoders are used again, since a tokenizer's tables cost more than the tokens.
var decoders = sync.Pool{New: func() any { return &decoder{tokens: new(jsontext.Decoder)} }}

// memberError is a member whose value is not what it must be.
type memberError struct{ pointer, want string }

func (e *memberError) Error() string {
	if e.pointer == "" {
		return "the body " + e.want
	}
	return strconv.Quote(e.pointer) + " " + e.want
}

// fault makes an error about the value that comes next or was read last.
func (d *decoder) fault(format string, args ...any) error {
	return &memberError{string(d.tokens.StackPointer()), fmt.Sprintf(format, args...)}
}

// decodeBody reads the whole body with read and returns a problem for everything
// that is not exactly the document that the API describes.
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
	return ipc.NewProblem(ipc.CodeMalformedRequest, explainJSON(err))
}

func (d *decoder) end() error {
	if _, err := d.tokens.ReadToken(); !errors.Is(err, io.EOF) {
		return &memberError{"", "has bytes after the JSON document; send one document"}
	}
	return nil
}

// explainJSON words an error for the caller, who may have sent 64 KiB of name.
func explainJSON(err error) string {
	var syntax *jsontext.SyntacticError
	text := ""
	switch {
	case errors.Is(err, io.EOF):
		text = "the body is empty; send a JSON object"
	case errors.Is(err, io.ErrUnexpectedEOF):
		text = "the JSON document ends too early"
	case errors.Is(err, jsontext.ErrDuplicateName):
		text = "a member is given twice; send it once:" + strings.TrimPrefix(err.Error(), "jsontext: "+jsontext.ErrDuplicateName.Error())
	case errors.As(err, &syntax):
		text = "not JSON: " + strings.TrimPrefix(err.Error(), "jsontext: ")
	default:
		text = err.Error()
	}
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// object reads an object and calls member for each name, which reads the value.
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

// array reads an array and calls element before each value, which it reads.
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

func (d *decoder) expect(kind jsontext.Kind, want string) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != kind {
		return d.fault("%s", want)
	}
	return nil
}

func (d *decoder) unknown(known string) error {
	return d.fault("is not a member of this request; it takes %s, in lower case", known)
}

// text reads a string of 1 to most bytes.
func (d *decoder) text(into *string, most int) error {
	token, err := d.tokens.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '"' {
		return d.fault("must be a string")
	}
	*into = token.String()
	if n := len(*into); n == 0 || n > most {
		return d.fault("must have 1 to %d bytes; leave it out for the default, where there is one", most)
	}
	return nil
}

// seconds reads a whole positive number, written without fraction or exponent.
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
	return d.fault("must be a whole number of seconds, 1 to %d; leave it out for the default", math.MaxInt32)
}

// bytes reads base64 in its one canonical form: standard alphabet, padded, no line ends.
func (d *decoder) bytes(into *[]byte, most int) error {
	var text string
	if err := d.text(&text, base64.StdEncoding.EncodedLen(most)); err != nil {
		return err
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return d.fault("must be standard base64 with padding (RFC 4648, section 4)")
	}
	if len(decoded) > most {
		return d.fault("must have at most %d bytes", most)
	}
	*into = decoded
	return nil
}

// claims reads an object of any JSON values but null, each at most MaxClaimDepth deep.
func (d *decoder) claims(into *map[string]json.RawMessage) error {
	*into = make(map[string]json.RawMessage)
	return d.object(func(name string) error {
		value, err := d.tokens.ReadValue()
		if err != nil {
			return err
		}
		switch {
		case value.Kind() == 'n':
			return d.fault("must not be null; leave the claim out")
		case depth(value) > ipc.MaxClaimDepth:
			return d.fault("is nested more than %d deep", ipc.MaxClaimDepth)
		}
		(*into)[name] = json.RawMessage(bytes.Clone(value))
		return nil
	})
}

// depth returns how many arrays and objects enclose the innermost place of a valid value.
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
