//go:build nobigquery

package main

func alsoLinked() {}
