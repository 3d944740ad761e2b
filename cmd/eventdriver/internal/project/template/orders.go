// Package orders is a Cloud Function that acts once, when all the events of a key have
// arrived. Event Driver does the waiting, and deploys it; the business is in this file.
package orders

import (
	"context"
	"log/slog"
	"strings"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
)

// Function is what is deployed. The environment may override the defaults.
var Function = eventdriver.EntryPoint{
	Name:     "Orders",
	Defaults: map[string]string{"EVENT_SOURCES": strings.Join(sources, ",")},
	Business: Business,
}

func init() { functions.HTTP(Function.Name, Function.Serve()) }

// sources are the events that are joined. Each has a trigger, in terraform/main.tf. README.md says
// where else they are named.
var sources = []string{
	"placed",
}

// Contents are what the events say: the content of each, under its source. Replace the
// fields by those that your events have.
type Contents struct {
	Placed struct{ Note string } `json:"placed"`
}

// Business returns the handler of joined events. It is called once, when the function
// starts. Read your own environment variables here: if it returns an error, the function
// does not start.
func Business() (driver.Handler, error) {
	return handler(act), nil
}

// handler returns the business, which acts by do. If do fails, the platform delivers the
// event again, and do is called again. Wrap an error that no retry can fix in
// driver.Permanent, and the event becomes a dead letter; so does content that does not fit
// the fields.
func handler(do func(ctx context.Context, key string, token int64, in Contents) error) driver.Handler {
	return driver.JSON(func(ctx context.Context, key string, in Contents) error {
		claim, _ := driver.ClaimFrom(ctx)
		return do(ctx, key, claim.Token, in)
	})
}

// act acts on the world. Where an instance acts and dies before it can record that, the
// key comes again with a greater token: pass the token on to the system that is acted
// upon, so that it can reject the repeat. Contents stay out of the log.
func act(ctx context.Context, key string, token int64, in Contents) error {
	slog.InfoContext(ctx, "acted", "key", key, "token", token)
	return nil
}
