package strictyaml

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/token"
)

// unseen is a character that a reader can't see, or can mistake for another.
type unseen struct {
	at      int // in runes
	message string
}

// checkSeen refuses keys and values that differ from what a reader sees: they
// can become part of what is signed. A character that is written as an escape
// sequence is seen. Messages name single characters, never text.
func checkSeen(tokens token.Tokens, r *report) {
	for _, t := range tokens {
		if t.Type == token.CommentType {
			continue
		}
		text := strings.TrimLeft(t.Origin, " \n")
		if found := findUnseen(written(t, text)); found != nil {
			r.add(placeIn(t, text, found.at), "", "%s", found.message)
		}
	}
}

var escape = regexp.MustCompile(`\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)`)

// written returns the text of a token with its escape sequences blanked out.
func written(t *token.Token, text string) string {
	if t.Type != token.DoubleQuoteType {
		return text
	}
	return escape.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat("0", len([]rune(s))) })
}

// placeIn returns the place of a character of a token, or that of the token if
// the character is on a later line.
func placeIn(t *token.Token, text string, at int) place {
	p := placeOf(t)
	if before := []rune(text)[:at]; !strings.Contains(string(before), "\n") {
		p.column += at
	}
	return p
}

func findUnseen(text string) *unseen {
	if found := findSpace(text); found != nil || isASCII(text) {
		return found
	}
	for _, find := range []func([]rune) *unseen{findInvisible, findUncomposed, findPunctuation, findMixedScript} {
		if found := find([]rune(text)); found != nil {
			return found
		}
	}
	return nil
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// findSpace finds white space next to the quotes around a text.
func findSpace(text string) *unseen {
	text = strings.TrimRight(text, " \n")
	if len(text) < 3 || text[0] != '"' && text[0] != '\'' || text[len(text)-1] != text[0] {
		return nil
	}
	const message = `the text in quotes %s with a space; remove it or, in double quotes, write it as \x20`
	switch inner := text[1 : len(text)-1]; {
	case strings.HasPrefix(inner, " ") || strings.HasPrefix(inner, "\t"):
		return &unseen{1, strings.Replace(message, "%s", "starts", 1)}
	case strings.HasSuffix(inner, " ") || strings.HasSuffix(inner, "\t"):
		return &unseen{len([]rune(text)) - 2, strings.Replace(message, "%s", "ends", 1)}
	}
	return nil
}
