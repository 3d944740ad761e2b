// Command function is the function of this project, with the business of orders.go.
package main

import (
	_ "example.com/eventdriver"
	"example.com/eventdriver/bench/subject"
)

func main() { subject.Serve() }
