//go:build nobigquery

package main

import "context"

func linkBigQuery(context.Context) {}
