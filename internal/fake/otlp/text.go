package otlp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
)

// textOf returns a value as text; of a list, its values with commas between.
func textOf(v *common.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *common.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *common.AnyValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
	case *common.AnyValue_ArrayValue:
		var texts []string
		for _, one := range v.ArrayValue.Values {
			texts = append(texts, textOf(one))
		}
		return strings.Join(texts, ",")
	}
	return fmt.Sprint(v)
}

// name tells time series apart.
func (p Point) name() string {
	parts := []string{p.Metric, p.Instance}
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		parts = append(parts, name, p.Attributes[name])
	}
	return strings.Join(parts, "\x00")
}

// has says whether a point has these attributes, pairs of a name and a value; service is the instance.
func (p Point) has(attributes []string) bool {
	for i := 0; i+1 < len(attributes); i += 2 {
		value := p.Attributes[attributes[i]]
		if attributes[i] == "service" {
			value = p.Instance
		}
		if value != attributes[i+1] {
			return false
		}
	}
	return true
}
