package strictyaml

import (
	"fmt"
	"slices"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// findInvisible finds a character without a shape of its own.
func findInvisible(text []rune) *unseen {
	for i, r := range text {
		if r != '\n' && r != '\t' && isInvisible(r) {
			return &unseen{i, fmt.Sprintf("%U is invisible; remove it%s", r, orEscape(r))}
		}
	}
	return nil
}

// orEscape says how to write a character that is meant.
func orEscape(r rune) string {
	form := `\u%04x`
	if r > 0xffff {
		form = `\U%08x`
	}
	return fmt.Sprintf(", or write "+form+" in double quotes if you mean it", r)
}

// blank are symbols and letters that print as nothing.
var blank = []rune{0x034f, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0}

func isInvisible(r rune) bool {
	return !unicode.IsPrint(r) || slices.Contains(blank, r) ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// findUncomposed finds a character that Unicode knows in another form that
// looks the same or nearly so: a letter and a separate accent, a letter of
// double width, a ligature (Unicode Standard Annex 15, forms NFC and NFKC).
func findUncomposed(text []rune) *unseen {
	given, normal := string(text), []rune(norm.NFKC.String(string(text)))
	if given == string(normal) {
		return nil
	}
	i := 0
	for i < len(normal) && i < len(text)-1 && text[i] == normal[i] {
		i++
	}
	for i < len(text)-1 && text[i] <= unicode.MaxASCII {
		i++ // past the letter that an accent follows
	}
	return &unseen{i, fmt.Sprintf("%U is not in normal form (NFKC), and looks like other characters; write those%s", text[i], orEscape(text[i]))}
}

// withLatin are the scripts that are written together with Latin letters, which
// theirs don't resemble (Unicode Technical Standard 39, section 5.2).
var withLatin = []string{"Latin", "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"}

// findMixedScript finds a letter of another script than the letters before it.
func findMixedScript(text []rune) *unseen {
	first := ""
	for i, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		script := scriptOf(r, first)
		switch {
		case script == "" || script == first:
		case first == "":
			first = script
		case !slices.Contains(withLatin, first) || !slices.Contains(withLatin, script):
			return &unseen{i, fmt.Sprintf("%U is a %s letter among %s letters, which can look the same; correct it%s", r, script, first, orEscape(r))}
		}
	}
	return nil
}

// scriptOf returns the name of a letter's script, or "" for those that several
// scripts share. It tries the likely one first.
func scriptOf(r rune, likely string) string {
	if r <= unicode.MaxASCII {
		return "Latin"
	}
	if likely != "" && unicode.Is(unicode.Scripts[likely], r) {
		return likely
	}
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			if name == "Common" || name == "Inherited" {
				return ""
			}
			return name
		}
	}
	return ""
}
