//go:build !nobigquery

package eventdriver

import (
	"flag"
	"testing"

	"example.com/eventdriver/internal/repo/doctable"
)

var update = flag.Bool("update", false, "write the tables of docs/configuration.md")

// The tables of docs/configuration.md are made from these. To write them anew:
//
//	go test . -run TestConfigurationPage -update
func TestConfigurationPage(t *testing.T) {
	rows := [][]string{{"variable", "default", "meaning"}}
	for _, s := range settings() {
		byDefault := s.unsetText
		switch {
		case byDefault != "":
		case s.unset == "":
			byDefault = "none"
		default:
			byDefault = "`" + s.unset + "`"
		}
		rows = append(rows, []string{"`" + s.name + "`", byDefault, s.about})
	}
	doctable.Check(t, "docs/configuration.md", "# Configuration", rows, *update)
	rows = [][]string{{"variable", "set by", "used for"}}
	for _, v := range platformVariables {
		rows = append(rows, []string{"`" + v.name + "`", v.setBy, v.use})
	}
	doctable.Check(t, "docs/configuration.md", "## Set by the platform", rows, *update)
}
