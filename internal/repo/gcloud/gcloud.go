// Package gcloud has the gcloud that is installed read commands that documents and scripts show.
package gcloud

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// atOnce is how many commands are read at once; each takes a second of CPU.
const atOnce = 2

var flag = regexp.MustCompile(` --[a-z0-9-]+`)

// Knows has gcloud read one of each kind of commands, which begin after the word gcloud: those with the same words and
// flags are of one kind. It returns how many kinds there are. Without an account, and with no way to Google, gcloud gets
// no further than to ask for one, unless there is something in the command that it does not know. The test is skipped
// where gcloud is not installed.
func Knows(t *testing.T, dir string, commands []string) (kinds int) {
	t.Helper()
	gcloud, err := exec.LookPath("gcloud")
	if err != nil {
		t.Skip("gcloud is not installed")
	}
	config, seen := t.TempDir(), make(map[string]bool)
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, command := range commands {
		words, _, _ := strings.Cut(command, " --")
		verb := words
		if end := strings.LastIndex(words, " "); end > 0 {
			verb = words[:end]
		}
		kind := verb + strings.Join(flag.FindAllString(command, -1), "")
		if seen[kind] {
			continue
		}
		seen[kind] = true
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			cmd := exec.Command("bash", "-c", gcloud+" "+command)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "CLOUDSDK_CONFIG="+config, "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CORE_PROJECT=my-project-123",
				"CLOUDSDK_CORE_CHECK_GCE_METADATA=false",
				"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE=", "HTTPS_PROXY=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "active account") {
				t.Errorf("gcloud %s: %v\n%s", command, err, out)
			}
		})
	}
	wait.Wait()
	return len(seen)
}
