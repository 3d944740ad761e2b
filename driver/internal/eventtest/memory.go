package eventtest

import (
	"runtime"

	"example.com/eventdriver/driver"
)

// Account is the account of an event's memory that adds up what is counted.
type Account struct {
	Grown int64
	Most  int64 // 0: any
}

// Grow implements the account of [driver.WithMemory].
func (a *Account) Grow(n int64) error {
	if a.Most > 0 && a.Grown+n > a.Most {
		return driver.ErrNoMemory
	}
	a.Grown += n
	return nil
}

// Shrink implements the account of [driver.WithMemory].
func (a *Account) Shrink(n int64) { a.Grown -= n }

// Hold implements the account of [driver.WithMemory].
func (a *Account) Hold() func() { return func() {} }

// Allocated returns how many bytes the program has allocated since it started.
func Allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
