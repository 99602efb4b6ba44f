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

// likePunctuation are characters besides dashes that look like ASCII
// punctuation, or that strike through the character before them: editors, chats
// and documents put some of them where ASCII was typed (Unicode Technical
// Standard 39, confusables).
var likePunctuation = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x01c0, Hi: 0x01c3, Stride: 3}, // clicks, like | and !
	{Lo: 0x02b9, Hi: 0x02bf, Stride: 1}, // apostrophes and quotes
	{Lo: 0x02c2, Hi: 0x02df, Stride: 1}, // more of them, angles, colon, minus, tilde
	{Lo: 0x0334, Hi: 0x0338, Stride: 1}, // overlays
	{Lo: 0x0589, Hi: 0x0589, Stride: 1}, // Armenian full stop, like a colon
	{Lo: 0x05c3, Hi: 0x05c3, Stride: 1}, // Hebrew sof pasuq, like a colon
	{Lo: 0x05f3, Hi: 0x05f4, Stride: 1}, // Hebrew geresh and gershayim
	{Lo: 0x2016, Hi: 0x201f, Stride: 1}, // double lines, quotes
	{Lo: 0x2027, Hi: 0x2027, Stride: 1}, // hyphenation point
	{Lo: 0x2032, Hi: 0x203a, Stride: 1}, // primes, caret, angle quotes
	{Lo: 0x2041, Hi: 0x2044, Stride: 1}, // caret, hyphen bullet, fraction slash
	{Lo: 0x204e, Hi: 0x2053, Stride: 1}, // asterisks, percent, tilde
	{Lo: 0x205a, Hi: 0x205a, Stride: 1}, // two dots, like a colon
	{Lo: 0x2212, Hi: 0x2219, Stride: 1}, // minus, plus, slashes, asterisk, dot
	{Lo: 0x2223, Hi: 0x2223, Stride: 1}, // divides, like |
	{Lo: 0x2227, Hi: 0x2228, Stride: 1}, // like a caret and a v
	{Lo: 0x2236, Hi: 0x223c, Stride: 1}, // ratio, tilde
	{Lo: 0x22c5, Hi: 0x22c6, Stride: 1}, // dot, asterisk
	{Lo: 0x2571, Hi: 0x2572, Stride: 1}, // box drawing, like slashes
	{Lo: 0x2758, Hi: 0x275e, Stride: 1}, // ornamental lines and quotes
	{Lo: 0x276c, Hi: 0x2771, Stride: 1}, // ornamental angles
	{Lo: 0x27cb, Hi: 0x27cd, Stride: 2}, // diagonals
	{Lo: 0x29f5, Hi: 0x29f9, Stride: 1}, // slashes
	{Lo: 0xa789, Hi: 0xa78c, Stride: 1}, // colon, equals, saltillo
}}

// findPunctuation finds a character that looks like ASCII punctuation.
func findPunctuation(text []rune) *unseen {
	for i, r := range text {
		if r > unicode.MaxASCII && unicode.In(r, likePunctuation, unicode.Pd) {
			return &unseen{i, fmt.Sprintf("%U looks like ASCII punctuation; write that%s", r, orEscape(r))}
		}
	}
	return nil
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
