package rawjson

import "bytes"

// TooDeep says whether the arrays and objects in JSON are nested more than [MaxNesting] deep.
func TooDeep(valid []byte) bool {
	if bytes.Count(valid, []byte{'['})+bytes.Count(valid, []byte{'{'}) <= MaxNesting {
		return false
	}
	depth, deepest := 0, 0
	for i := 0; i < len(valid); i++ {
		switch valid[i] {
		case '"':
			i += StringLength(valid[i:]) - 1
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest > MaxNesting
}

// CountMembers returns how many members the objects in JSON have, down to a depth; the
// outermost value is at depth 1. Call it before decoding, which takes many times the memory
// of what it decodes.
func CountMembers(valid []byte, deepest int) (n int) {
	depth := 0
	for i := 0; i < len(valid); i++ {
		switch valid[i] {
		case '"':
			i += StringLength(valid[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ':':
			if depth <= deepest {
				n++
			}
		}
	}
	return n
}

// CountValues returns about how many values JSON has, at any depth: elements, members, and
// the arrays and objects around them.
func CountValues(valid []byte) (n int) {
	for i := 0; i < len(valid); i++ {
		switch valid[i] {
		case '"':
			i += StringLength(valid[i:]) - 1
		case ',', '{', '[':
			n++
		}
	}
	return n
}

// StringLength returns the length of the JSON string with which text begins, its quotes
// included.
func StringLength(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++ // an escaped quote does not end the string
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// EscapedLength returns how many bytes text has at most inside of a JSON string.
func EscapedLength(text []byte) int64 {
	n := int64(len(text))
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			n++
		case c >= ' ':
		case c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t':
			n++
		default:
			n += int64(len(`\u0000`) - 1)
		}
	}
	return n
}
