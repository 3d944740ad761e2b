package rawjson

import "encoding/json"

// shallow is how deep JSON is nested at most that [Valid] reads itself.
const shallow = 64

// Valid is [json.Valid], at less than half of its cost for JSON that is not nested deeper than events are.
// Whatever it does not know to be valid, json.Valid decides.
func Valid(data []byte) bool {
	v := validator{text: data}
	return v.value(0) && v.space() == len(data) || json.Valid(data)
}

// validator reads JSON from front to back. Its methods return false also for what is only rare.
type validator struct {
	text []byte
	at   int
}

// space reads white space and returns where it ends.
func (v *validator) space() int {
	for v.at < len(v.text) && isSpace(v.text[v.at]) {
		v.at++
	}
	return v.at
}

// take reads c, if it is next.
func (v *validator) take(c byte) bool {
	if v.at >= len(v.text) || v.text[v.at] != c {
		return false
	}
	v.at++
	return true
}

// value reads white space and one value.
func (v *validator) value(depth int) bool {
	if v.space() == len(v.text) || depth == shallow {
		return false
	}
	switch v.text[v.at] {
	case '"':
		return v.quoted()
	case '{':
		return v.elements('}', depth+1, true)
	case '[':
		return v.elements(']', depth+1, false)
	case 't':
		return v.word("true")
	case 'f':
		return v.word("false")
	case 'n':
		return v.word("null")
	}
	return v.number()
}

// elements reads an array, or an object, whose elements have names.
func (v *validator) elements(end byte, depth int, named bool) bool {
	v.at++
	if v.space(); v.take(end) {
		return true
	}
	for {
		if named && !v.name() || !v.value(depth) {
			return false
		}
		v.space()
		if v.take(end) {
			return true
		}
		if !v.take(',') {
			return false
		}
	}
}

// name reads the name of a member, and the colon.
func (v *validator) name() bool {
	if v.space() == len(v.text) || v.text[v.at] != '"' || !v.quoted() {
		return false
	}
	v.space()
	return v.take(':')
}

// quoted reads a string.
func (v *validator) quoted() bool {
	text, at := v.text, v.at+1
	for {
		for at < len(text) && plain[text[at]] {
			at++
		}
		switch {
		case at >= len(text) || text[at] < ' ':
			return false
		case text[at] == '"':
			v.at = at + 1
			return true
		}
		length := escapeLength(text[at:])
		if length == 0 {
			return false
		}
		at += length
	}
}

// plain are the bytes in a string that stand for themselves.
var plain = func() (all [256]bool) {
	for c := range all {
		all[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return all
}()

// escapeLength returns the length of the escape with which text begins, 0 if it is none.
func escapeLength(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(text) >= 6 && hexDigits(text[2:6]) {
			return 6
		}
	}
	return 0
}

func hexDigits(text []byte) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func (v *validator) word(word string) bool {
	if len(v.text)-v.at < len(word) || string(v.text[v.at:v.at+len(word)]) != word {
		return false
	}
	v.at += len(word)
	return true
}

// number reads a number.
func (v *validator) number() bool {
	v.take('-')
	if !v.take('0') && !v.digits() {
		return false
	}
	if v.take('.') && !v.digits() {
		return false
	}
	if v.take('e') || v.take('E') {
		_ = v.take('+') || v.take('-')
		return v.digits()
	}
	return true
}

// digits reads one digit at least.
func (v *validator) digits() bool {
	start := v.at
	for v.at < len(v.text) && v.text[v.at] >= '0' && v.text[v.at] <= '9' {
		v.at++
	}
	return v.at > start
}
