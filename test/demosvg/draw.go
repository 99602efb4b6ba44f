package main

import (
	"fmt"
	"html"
	"strings"
)

const (
	rows       = 26  // of the terminal in the picture
	charWidth  = 843 // hundredths
	lineHeight = 19
	margin     = 16
	titleBar   = 28
)

const style = `
svg { background: #16181d; border-radius: 8px }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c8ccd4; white-space: pre }
.h { font-weight: bold; fill: #ffffff }
.c { fill: #8fd18f }
.l { animation: show .01s both }
@keyframes show { from { visibility: hidden } to { visibility: visible } }
`

// draw makes the SVG. Each line appears at its time, and the page moves up when
// the terminal is full.
func draw(lines []line) string {
	width, height := columns*charWidth/100+2*margin, titleBar+rows*lineHeight+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="make demo in a terminal">`,
		width, height, width, height)
	fmt.Fprintf(&b, "\n<style>%s%s</style>\n", style, scrolling(lines))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#16181d"/>`+"\n", width, height)
	for i, color := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="14" r="5" fill="%s"/>`+"\n", margin+i*16, color)
	}
	fmt.Fprintf(&b, `<svg y="%d" width="%d" height="%d" viewBox="0 0 %d %d"><g class="s">`+"\n",
		titleBar, width, rows*lineHeight, width, rows*lineHeight)
	for i, l := range lines {
		fmt.Fprintf(&b, `<text class="l %s" style="animation-delay:%.2fs" x="%d" y="%d" xml:space="preserve">%s</text>`+"\n",
			l.class, l.at, margin, (i+1)*lineHeight-5, html.EscapeString(l.text))
	}
	b.WriteString("</g></svg>\n</svg>\n")
	return b.String()
}

// scrolling moves the page up by a line whenever one appears below the last
// row.
func scrolling(lines []line) string {
	hidden := len(lines) - rows
	if hidden <= 0 {
		return ""
	}
	end := lines[len(lines)-1].at
	var b strings.Builder
	fmt.Fprintf(&b, ".s { animation: scroll %.2fs step-end both }\n@keyframes scroll {\n0%% { transform: translateY(0) }\n", end)
	for i := 1; i <= hidden; i++ {
		fmt.Fprintf(&b, "%.2f%% { transform: translateY(%dpx) }\n", 100*lines[rows+i-1].at/end, -i*lineHeight)
	}
	b.WriteString("}\n")
	return b.String()
}
