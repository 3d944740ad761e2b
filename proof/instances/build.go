// Package instances builds the function and runs it as processes of their own, which
// can be killed, stopped, continued and watched. Nothing that is deployed imports
// it. It needs Go's tools, and an operating system with signals.
package instances

import (
	"context"
	"encoding/json"
	"fmt"
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
	if _, err := os.Stat(filepath.Join(folder, functionMain)); err != nil {
		return "", fmt.Errorf("run this in the clone of the project: %q has no %s", folder, functionMain)
	}
	return folder, nil
}

const functionMain = "proof/instances/function"

// Build builds the function into the folder and returns the program. replace has
// files of the module, by their path in it, compiled from others: orders.go, say,
// the one that users replace, too.
func Build(ctx context.Context, folder string, replace map[string]string) (program string, err error) {
	module, err := Module(ctx)
	if err != nil {
		return "", err
	}
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
	program = filepath.Join(folder, "function")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", program, "./"+functionMain)
	build.Dir = module
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
}
