package strictyaml

import (
	"fmt"
	"strconv"
	"strings"
)

// Paths look like clients[2].grants[0].claims.allow.scope. A key that contains
// anything but letters, digits, - and _ is written as ["a key"].

// Key returns the path of a key in the mapping at path.
func Key(path, key string) string {
	if key == "" || strings.ContainsFunc(key, needsQuotes) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func needsQuotes(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// Item returns the path of an item in the list at path.
func Item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// cutStep splits a path after its first step.
func cutStep(path string) (step, rest string) {
	if !strings.HasPrefix(path, "[") {
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return path, ""
		}
		return path[:end], strings.TrimPrefix(path[end:], ".")
	}
	end := strings.IndexByte(path, ']')
	if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil {
		end = 1 + len(quoted)
	}
	if end < 0 || end >= len(path) || path[end] != ']' {
		return path, ""
	}
	return path[:end+1], strings.TrimPrefix(path[end+1:], ".")
}

// parentPath drops the last step of a path.
func parentPath(path string) string {
	taken := 0
	for rest := path; rest != ""; {
		var after string
		if _, after = cutStep(rest); after == "" {
			return strings.TrimSuffix(path[:taken], ".")
		}
		taken = len(path) - len(after)
		rest = after
	}
	return ""
}
