package rawjson

import "bytes"

// WithoutNulls returns JSON without the members of objects that are null.
func WithoutNulls(valid []byte) []byte {
	if !bytes.Contains(valid, []byte("null")) {
		return valid
	}
	kept := make([]byte, 0, len(valid))
	name := 0          // where the last string begins in kept
	dropComma := false // the comma behind a first member that was dropped
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case c == '"':
			end := i + StringLength(valid[i:])
			name = len(kept)
			kept = append(kept, valid[i:end]...)
			i, dropComma = end-1, false
		case c == ':' && FirstByte(valid[i+1:]) == 'n':
			i += bytes.Index(valid[i:], []byte("null")) + len("null") - 1
			kept = bytes.TrimRight(kept[:name], " \t\r\n")
			if dropComma = !bytes.HasSuffix(kept, []byte{','}); !dropComma {
				kept = kept[:len(kept)-1]
			}
		case c == ',' && dropComma:
			dropComma = false
		default:
			kept = append(kept, c)
			dropComma = dropComma && c != '}'
		}
	}
	return kept
}

// Compact removes the white space between the values of JSON, in place.
func Compact(valid []byte) []byte {
	kept := valid[:0]
	for i := 0; i < len(valid); i++ {
		switch valid[i] {
		case ' ', '\t', '\r', '\n':
		case '"':
			length := StringLength(valid[i:])
			kept = append(kept, valid[i:i+length]...)
			i += length - 1
		default:
			kept = append(kept, valid[i])
		}
	}
	return kept
}
