// Command local runs the function on this machine, with stand-ins for Cloud Storage and
// Eventarc. It needs no cloud account.
//
//	go run ./cmd/local
package main

import (
	"example.com/eventdriver/cmd/local/serve"

	orders "example.com/eventdriver/cmd/eventdriver/internal/project/template"
)

func main() { serve.Main(orders.Function) }
