package eventdriver

import (
	"errors"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
)

// A business that cannot be had is an error that names the file, not a crash.
func TestBusinessThatCannotBeOpened(t *testing.T) {
	for says, business := range map[string]func() (driver.Handler, error){
		"SHOP_URL is not set":    func() (driver.Handler, error) { return nil, errors.New("SHOP_URL is not set") },
		"the shop is closed":     func() (driver.Handler, error) { panic("the shop is closed") },
		"it returned no handler": func() (driver.Handler, error) { return nil, nil },
	} {
		handler, err := openBusiness(business)
		if handler != nil || err == nil || !strings.Contains(err.Error(), "Business in orders.go") || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v; want an error that says %q", handler, err, says)
		}
	}
	want := count()
	if handler, err := openBusiness(func() (driver.Handler, error) { return want, nil }); handler != want || err != nil {
		t.Errorf("%v, %v; want the handler", handler, err)
	}
}
