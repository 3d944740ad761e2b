package eventdriver

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// A business that cannot be had is an error that names the function, not a crash.
func TestBusinessThatCannotBeOpened(t *testing.T) {
	for says, business := range map[string]func() (driver.Handler, error){
		"SHOP_URL is not set":    func() (driver.Handler, error) { return nil, errors.New("SHOP_URL is not set") },
		"the shop is closed":     func() (driver.Handler, error) { panic("the shop is closed") },
		"it returned no handler": func() (driver.Handler, error) { return nil, nil },
		"it is not set":          nil,
	} {
		handler, err := EntryPoint{Name: "Orders", Business: business}.OpenBusiness()
		if handler != nil || err == nil || !strings.Contains(err.Error(), "Business of Orders") || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v; want an error that says %q", handler, err, says)
		}
	}
	want := count()
	if handler, err := (EntryPoint{Business: func() (driver.Handler, error) { return want, nil }}).OpenBusiness(); handler != want || err != nil {
		t.Errorf("%v, %v; want the handler", handler, err)
	}
}

// The environment has precedence over the defaults of an entry point, and those over the settings' own.
func TestDefaultsOfAnEntryPoint(t *testing.T) {
	entry := EntryPoint{Defaults: map[string]string{"EVENT_SOURCES": "placed,paid", "LEASE": "soon"}}
	environ := map[string]string{"LEASE": "90s"}
	config, err := entry.Config(func(name string) (string, bool) {
		value, set := environ[name]
		return value, set
	})
	if err != nil || !slices.Equal(config.Sources, []string{"placed", "paid"}) || config.Lease != 90*time.Second ||
		config.BodyLimit != DefaultConfig().BodyLimit {
		t.Errorf("%+v, %v; want the sources of the entry point and the lease of the environment", config, err)
	}
	if _, err := entry.Config(func(string) (string, bool) { return "", false }); err == nil || !strings.Contains(err.Error(), "LEASE") {
		t.Errorf("%v; want an error about the default of LEASE", err)
	}
}

// A default that nothing reads is an error, which names the setting that is meant.
func TestMisspelledDefaults(t *testing.T) {
	entry := EntryPoint{Name: "Orders", Defaults: map[string]string{"EVENT_SOURCE": "placed,paid", "GOOGLE_CLOUD_PROJECT": "p"}}
	_, err := entry.Config(func(string) (string, bool) { return "", false })
	const want = `Defaults of Orders: "EVENT_SOURCE" is not a setting; the one with the nearest name is EVENT_SOURCES` +
		"\n" + `Defaults of Orders: "GOOGLE_CLOUD_PROJECT" is not a setting`
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
