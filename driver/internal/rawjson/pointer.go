package rawjson

import (
	"fmt"
	"strings"
)

// ParsePointer returns the reference tokens of a JSON pointer (RFC 6901), for [Find].
func ParsePointer(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, fmt.Errorf(`key pointer %q: must be empty or start with "/", as in "/order/id" (RFC 6901)`, text)
	}
	tokens := strings.Split(rest, "/")
	for i, token := range tokens {
		if bad := strings.NewReplacer("~0", "", "~1", "").Replace(token); strings.Contains(bad, "~") {
			return nil, fmt.Errorf(`key pointer %q: write "~" as "~0", and "/" inside of a name as "~1" (RFC 6901)`, text)
		}
		tokens[i] = strings.NewReplacer("~0", "~", "~1", "/").Replace(token)
	}
	return tokens, nil
}
