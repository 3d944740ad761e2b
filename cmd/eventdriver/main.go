// Command eventdriver is for the person on call: it looks at a deployed function, and changes what it
// keeps of keys.
//
//	go run ./cmd/eventdriver doctor --service=orders --region=europe-west1 --project=my-project
//
// eventdriver help lists the commands, and what their exit codes mean.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], surroundings{os.Stdin, os.Stdout, os.Stderr, os.Environ()})
	stop()
	os.Exit(code)
}
