package eventdriver

import "example.com/eventdriver/driver"

// business is the handler of orders.go. Programs that prove the function are compiled
// with another file in place of this one, and bring a business of their own: see
// Build in proof/instances.
func business() (driver.Handler, error) { return Business() }
