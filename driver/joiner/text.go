package joiner

import "encoding/json"

// appendText appends UTF-8 as a JSON string, as encoding/json writes it.
func appendText(b, text []byte) []byte {
	b = append(b, '"')
	written := 0
	for i, c := range text {
		if !special[c] {
			continue
		}
		n, escaped := escape(text[i:])
		if n == 0 {
			continue
		}
		b = append(append(b, text[written:i]...), escaped...)
		written = i + n
	}
	return append(append(b, text[written:]...), '"')
}

// textSize is how many bytes appendText appends.
func textSize(text []byte) int {
	size := len(text) + len(`""`)
	for i, c := range text {
		if !special[c] {
			continue
		}
		n, escaped := escape(text[i:])
		size += len(escaped) - n
	}
	return size
}

// escape returns what is written for the first n bytes of text; 0: they stay what they are.
func escape(text []byte) (n int, escaped string) {
	switch c := text[0]; {
	case c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
		return 1, escapes[c]
	case c == 0xe2 && len(text) > 2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9):
		return 3, separators[text[2]-0xa8]
	}
	return 0, ""
}

// special are the bytes that escape has to look at.
var special = func() (all [256]bool) {
	for c := range all {
		n, _ := escape([]byte{byte(c)})
		all[c] = n > 0 || c == 0xe2
	}
	return all
}()

// separators end lines in JavaScript, and not in JSON.
var separators = [2]string{`\u2028`, `\u2029`}

var escapes = func() (all ['\\' + 1]string) {
	for c := range all {
		quoted, _ := json.Marshal(string(rune(c))) // a string always has a JSON form
		all[c] = string(quoted[1 : len(quoted)-1])
	}
	return all
}()

// nesting returns how deep valid JSON is nested.
func nesting(valid []byte) (deepest int) {
	depth, quoted := 0, false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case quoted && c == '\\':
			i++ // whatever is escaped does not end the string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
