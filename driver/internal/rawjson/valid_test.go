package rawjson

import (
	"bytes"
	"encoding/json"
	"testing"
)

var contents = []string{
	``, ` `, `null`, `true`, `false`, `nul`, `truee`, `0`, `-0`, `01`, `-`, `1.`, `1.5`, `.5`, `1e`, `1e+`, `1e+5`, `1E-05`, `+1`, `1 2`,
	`""`, `"a`, `"\`, `"\"`, `"\\"`, `"\x"`, `"\u12"`, `"\u12aF"`, `"\u12g4"`, "\"\x00\"", "\"\x1f\"", "\"\x7f\xff\"", `"\/\b\f\n\r\t"`,
	`[]`, `[ ]`, `[1]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `[1`, `[[],{}]`, `{}`, `{ }`, `{"a"}`, `{"a":}`, `{"a":1}`, `{"a":1,}`, `{a:1}`,
	`{"a":1 , "b" : [ true , null ] }`, `{"a":1}}`, `{"a" 1}`, `{1:1}`, `{"a":1;}`, " \t\r\n1 \t\r\n", "\v1", "\ufeff1", `{"a":{"b":{"c":[{}]}}}`,
}

func FuzzValid(f *testing.F) {
	for _, text := range contents {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := validator{text: text}
		if own := v.value(0) && v.space() == len(text); own && !json.Valid(text) {
			t.Errorf("%q is taken for valid", text)
		}
		if Valid(text) != json.Valid(text) {
			t.Errorf("%q: %v", text, Valid(text))
		}
	})
}

// Valid reads what events usually are itself.
func TestValidReadsItself(t *testing.T) {
	for _, text := range contents {
		v := validator{text: []byte(text)}
		if own := v.value(0) && v.space() == len(text); own != json.Valid([]byte(text)) {
			t.Errorf("%q: %v", text, own)
		}
	}
}

func TestValidDeep(t *testing.T) {
	for _, depth := range []int{shallow - 1, shallow, shallow + 1, MaxNesting, MaxNesting + 1, MaxNesting + 2} {
		text := append(bytes.Repeat([]byte("["), depth), bytes.Repeat([]byte("]"), depth)...)
		if Valid(text) != json.Valid(text) {
			t.Errorf("%d levels: %v", depth, Valid(text))
		}
	}
}

func BenchmarkValid(b *testing.B) {
	text := []byte(`{"order":"4711","amount":12.50,"paid":true,"items":[{"sku":"a-1","count":2}],"text":"the quick brown fox jumps over it"}`)
	for name, valid := range map[string]func([]byte) bool{"json": json.Valid, "here": Valid} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				valid(text)
			}
		})
	}
}
