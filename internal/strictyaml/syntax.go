package strictyaml

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readTree checks the syntax of a file and returns its top mapping, or nil
// after a mistake. Messages about syntax never contain text from the file:
// where the syntax is broken, nothing says which parts are secret.
func readTree(data []byte, rules Rules, r *report) *node {
	if !checkBytes(data, rules.MaxSize, r) {
		return nil
	}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	tokens := lexer.Tokenize(string(data))
	body, ok := ast.Node(nil), checkTokens(tokens, r)
	if ok {
		body, ok = parseYAML(tokens, r)
	}
	if !ok {
		r.nameTab(data)
		return nil
	}
	root := (&builder{report: r}).build(body)
	if len(r.problems) > 0 {
		return nil
	}
	if root == nil || root.kind != Mapping {
		r.add(place{1, 1}, "", "the file has no settings; %s", rules.Start)
		return nil
	}
	root.hideSecrets(rules.Secrets)
	checkSeen(tokens, r)
	return root
}

// checkBytes refuses large files, bytes that aren't UTF-8, and characters that
// could hide part of the file from someone who reads it on a terminal.
func checkBytes(data []byte, maxSize int, r *report) bool {
	if len(data) > maxSize {
		r.add(place{1, 1}, "", "the file is larger than %d bytes, the maximum; split it up", maxSize)
		return false
	}
	line, column := 1, 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size == 1 {
			r.add(place{line, column}, "", "invalid UTF-8; save the file as UTF-8")
			return false
		}
		crlf := c == '\r' && i+1 < len(data) && data[i+1] == '\n'
		if (c < ' ' && c != '\n' && c != '\t' && !crlf) || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
			unicode.Is(unicode.Bidi_Control, c) {
			r.add(place{line, column}, "", "control character %U is not allowed; remove it", c)
			return false
		}
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return true
}

// nameTab says of a file that can't be parsed that a tab indents a line, if one
// does: the parser's message is about what follows from that.
func (r *report) nameTab(data []byte) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if at := bytes.IndexByte(indent, '\t'); at >= 0 && len(bytes.TrimSpace(line)) > 0 {
			r.problems = nil
			r.add(place{number, at + 1}, "", "a tab indents this line, which YAML doesn't allow; indent it with spaces")
			return
		}
	}
}

// parseYAML parses tokens that checkTokens let through.
func parseYAML(tokens token.Tokens, r *report) (body ast.Node, ok bool) {
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := syntaxError(err)
		r.add(at, "", "invalid YAML: %s; check the indentation, brackets and quotes here and on the previous line", message)
		return nil, false
	}
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		if body != nil {
			r.add(placeOf(document.Body.GetToken()), "", "a second document starts here; keep only one")
			return nil, false
		}
		body = document.Body
	}
	return body, true
}

// syntaxError returns the parser's own message where it can't contain text from
// the file.
func syntaxError(err error) (place, string) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		return place{1, 1}, "can't be parsed"
	}
	message := syntax.Message
	if strings.ContainsAny(message, "\"`\n") {
		message = "unexpected token"
	}
	return placeOf(syntax.Token), message
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(1, t.Position.Line), max(1, t.Position.Column)}
}
