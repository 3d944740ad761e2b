// Command local runs the function under the Functions Framework on one machine, with
// stand-ins for Cloud Storage and Eventarc. It needs no cloud account.
//
//	go run ./cmd/local               serve until interrupted
//	go run ./cmd/local -instances 3  the same, with the function in three processes
//	go run ./cmd/local -demo         send orders, and check that each is processed once
//
// The function acts with orders.go and reads its settings from the environment, as in the
// cloud (see docs/configuration.md). The Cloud Storage is part of the program, unless
// STORAGE_EMULATOR_HOST names an emulator. As in the cloud, the events of each topic are
// delivered to the path of their source. Everything listens on 127.0.0.1 unless flags say
// otherwise.
//
// The demo has a business and settings of its own: it reads neither orders.go nor the
// environment, except for the addresses of emulators.
package main

import (
	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/serve"
)

func main() { serve.Main(eventdriver.EventDriver) }
