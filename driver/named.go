package driver

import (
	"fmt"
	"reflect"
	"strings"
)

// Named gives h a name by which errors and logs call it, as in
//
//	ship: order "order-1": out of stock
//
// It panics if h is nil or name is empty. A handler that is a [fmt.Stringer] needs no
// Named: its String is its name. The handlers of this project are. Any other is
// called by its place in the pipeline and its type.
func Named(name string, h Handler) Handler {
	switch {
	case h == nil:
		panic(fmt.Sprintf("driver: Named(%q): the handler is nil", name))
	case name == "":
		panic("driver: Named: the name is empty")
	}
	return named{h, name}
}

type named struct {
	Handler
	name string
}

// String returns the handler's name.
func (n named) String() string { return n.name }

// handlerName returns the handler's own name, or what it is, its number there and its type.
// The type of a function says nothing, and is left out.
func handlerName(what string, number int, h Handler) string {
	if s, ok := h.(fmt.Stringer); ok {
		if name := valueText(s); name != "" {
			return name
		}
	}
	what = fmt.Sprintf("%s %d", what, number)
	if reflect.TypeOf(h) == reflect.TypeFor[HandlerFunc]() {
		return what
	}
	return fmt.Sprintf("%s (%s)", what, strings.TrimLeft(reflect.TypeOf(h).String(), "*"))
}
