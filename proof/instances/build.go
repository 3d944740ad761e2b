// Package instances builds the function and runs it as processes of their own, which
// can be killed, stopped, continued and watched. Nothing that is deployed imports
// it. It needs Go's tools, and an operating system with signals.
package instances

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module returns the folder of this module, which the working directory must be in.
func Module(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(out))
	folder := filepath.Dir(file)
	if _, err := os.Stat(filepath.Join(folder, function)); err != nil {
		return "", fmt.Errorf("run this in the clone of the project: %q has no %s", folder, function)
	}
	return folder, nil
}

const (
	function     = "proof/instances/function"
	business     = "proof/instances/business/business.go"
	userBusiness = "business.go"
)

// Acted is the message that the business of the package business logs, once for each run.
const Acted = "the business acted"

// Program is what [Build] builds. The zero Program is an instance of the function, with
// the business of the package business.
type Program struct {
	// Package is the folder of the program; empty: proof/instances/function.
	Package string
	// Business is a file with a business of its own; empty: that of the package
	// business. It is compiled in place of the file that calls the user's Business, so
	// that orders.go and what belongs to it is compiled, too, but never called.
	Business string
	// Replace are files of the module, by their path in it, that are compiled from others.
	Replace map[string]string
}

// Build builds a program of this module into the folder, and returns its file.
func Build(ctx context.Context, folder string, p Program) (file string, err error) {
	module, err := Module(ctx)
	if err != nil {
		return "", err
	}
	replace := map[string]string{userBusiness: cmp.Or(p.Business, business)}
	maps.Copy(replace, p.Replace)
	main := cmp.Or(p.Package, function)
	absolute := make(map[string]string)
	for name, other := range replace {
		if !filepath.IsAbs(other) {
			other = filepath.Join(module, other)
		}
		for _, file := range []string{filepath.Join(module, name), other} {
			if _, err := os.Stat(file); err != nil { // the compiler would ignore the replacement
				return "", err
			}
		}
		absolute[filepath.Join(module, name)] = other
	}
	overlay, err := json.Marshal(map[string]any{"Replace": absolute})
	if err != nil {
		return "", err
	}
	list := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	file = filepath.Join(folder, filepath.Base(main))
	build := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", file, "./"+main)
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
}
