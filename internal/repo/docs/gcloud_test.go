package docs

import (
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/gcloud"
	"example.com/eventdriver/internal/repo/prove"
)

// placeholders are what commands in documents have for names, and names that gcloud takes.
var placeholders = strings.NewReplacer("PROJECT", "my-project-123", "REGION", "europe-west1", "SERVICE", "orders", "BUCKET", "my-bucket", "GENERATION", "123", "=dashboard.json", "=terraform/dashboard.json", "…", "x")

// TestGcloudKnowsTheCommandsOfTheDocuments has the real gcloud read each kind of command that is shown.
func TestGcloudKnowsTheCommandsOfTheDocuments(t *testing.T) {
	prove.Only(t, "asks the gcloud that is installed")
	var commands []string
	for _, name := range documents(t) {
		for _, block := range document(t, name).Blocks {
			if block.Language == "sh" {
				commands = append(commands, gcloudCommands(block.Text)...)
			}
		}
	}
	if kinds := gcloud.Knows(t, root, commands); kinds < 10 {
		t.Errorf("the documents show %d kinds of commands only: %q", kinds, commands)
	}
}

// TestGcloudIsAskedInShells: commands of gcloud are in blocks of the shell, which the test above reads, and name the project:
// at night the default may be another. One that grants a role on the project names the condition: without, gcloud asks
// which is meant where a grant of the project has one.
func TestGcloudIsAskedInShells(t *testing.T) {
	for _, name := range documents(t) {
		for _, block := range document(t, name).Blocks {
			for _, command := range gcloudCommands(block.Text) {
				if block.Language != "sh" {
					t.Errorf("%s: a block of %s, want sh: gcloud %s", name, block.Language, command)
				}
				if !strings.Contains(command, placeholders.Replace("PROJECT")) && !strings.Contains(command, "gs://") {
					t.Errorf("%s: for whichever project: gcloud %s", name, command)
				}
				if strings.HasPrefix(command, "projects add-iam-policy-binding") && !strings.Contains(command, " --condition=") {
					t.Errorf("%s: without a condition: gcloud %s", name, command)
				}
			}
		}
	}
}

// gcloudCommands returns the commands of gcloud in a text of the shell, without the word gcloud.
func gcloudCommands(text string) (commands []string) {
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		command, is := strings.CutPrefix(line, "gcloud ")
		if !is || strings.HasPrefix(command, "auth ") { // that needs no account
			continue
		}
		command, _, _ = strings.Cut(placeholders.Replace(command), " |")
		commands = append(commands, strings.TrimSpace(command))
	}
	return commands
}
