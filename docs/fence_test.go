package docs_test

import (
	"fmt"
	"regexp"
	"strings"
)

// fences finds the fenced blocks of a page.
func fences(text string) (list []fence, err error) {
	var open *fence
	for i, line := range strings.SplitAfter(text, "\n") {
		switch {
		case !strings.HasPrefix(line, "```"):
			if open != nil {
				open.text += line
			}
		case open == nil:
			open = &fence{line: i + 1, info: strings.TrimSpace(line[3:])}
		default:
			list = append(list, *open)
			open = nil
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: a fenced block without an end", open.line)
	}
	return list, nil
}

// What differs from run to run: hashes, addresses and numbers. An exit code does
// not.
var varying = regexp.MustCompile(`exit code \d+|…|\b[0-9a-f]{64}\b|\biost?1[0-9a-z]{20,}|\d+(\.\d+)?|\s+`)

// pattern is what a line of output looks like that is shown like this one.
func pattern(shown string) *regexp.Regexp {
	shown = strings.TrimSpace(shown)
	var b strings.Builder
	b.WriteString(`(?m)^\s*`)
	at := 0
	for _, m := range varying.FindAllStringIndex(shown, -1) {
		b.WriteString(regexp.QuoteMeta(shown[at:m[0]]))
		at = m[1]
		switch part := shown[m[0]:m[1]]; {
		case strings.HasPrefix(part, "exit code"):
			b.WriteString(regexp.QuoteMeta(part))
		case part == "…":
			b.WriteString(`.*`)
		case strings.TrimSpace(part) == "":
			b.WriteString(`\s+`)
		case strings.HasPrefix(part, "ios"):
			b.WriteString(`iost?1[0-9a-z]+`)
		case len(part) == 64:
			b.WriteString(`[0-9a-f]{64}`)
		default:
			b.WriteString(`\d+(\.\d+)?`)
		}
	}
	b.WriteString(regexp.QuoteMeta(shown[at:]) + `\s*$`)
	return regexp.MustCompile(b.String())
}
