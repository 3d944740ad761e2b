package smoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// override is what differs from the example. Terraform merges it into the example's module; what is in the outputs the
// trial reads.
const override = `# Written by make smoke. It differs from terraform/examples/%[1]s in these:
module "%[2]s" {
  source        = "%[3]s"
  name          = "%[4]s"
  force_destroy = true
  delete_topics = true
  output_topic  = { id = "%[4]s-complete", create = true }
}
`

const output = `
output "smoke" {
  value = module.%s.topics
}
`

var moduleBlock = regexp.MustCompile(`(?m)^module "([-_a-z0-9]+)" \{`)

// prepare makes Terraform's folder: a copy of the example, called otherwise, with a state of its own.
func (t *trial) prepare() error {
	t.say("# in %s: terraform/examples/%s, called %s", t.folder, t.Example, t.name)
	if t.DryRun {
		return nil
	}
	folder := filepath.Join(t.Root, t.folder)
	module, err := filepath.Rel(folder, filepath.Join(t.Root, "terraform"))
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(t.Root, "terraform", "examples", t.Example, "*.tf"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	called := ""
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if found := moduleBlock.FindSubmatch(text); found != nil {
			called = string(found[1])
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), text, 0o600); err != nil {
			return err
		}
	}
	if called == "" {
		return fmt.Errorf("terraform/examples/%s has no module", t.Example)
	}
	return errors.Join(
		write(folder, "smoke_override.tf", fmt.Sprintf(override, t.Example, called, filepath.ToSlash(module), t.name)),
		write(folder, "smoke.tf", strings.TrimLeft(fmt.Sprintf(output, called), "\n")),
		write(folder, "terraform.tfvars", fmt.Sprintf("project_id = %q\nregion     = %q\n", t.Project, t.Region)))
}

func write(folder, name, text string) error {
	return os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600)
}

// forget deletes the folder, when nothing is left of what it describes.
func (t *trial) forget() error {
	if t.DryRun {
		return nil
	}
	return os.RemoveAll(filepath.Join(t.Root, t.folder))
}

// topics returns the topics to publish to, by source.
func (t *trial) topics(ctx context.Context) (map[string]string, error) {
	text, err := t.read(ctx, "terraform", "-chdir="+t.folder, "output", "-json", "smoke")
	if err != nil {
		return nil, err
	}
	topics := make(map[string]string)
	if t.DryRun {
		for _, source := range sources {
			topics[source] = fmt.Sprintf("projects/%s/topics/%s-%s", t.Project, t.name, source)
		}
		return topics, nil
	}
	if err := json.Unmarshal([]byte(text), &topics); err != nil {
		return nil, fmt.Errorf("terraform's output: %w", err)
	}
	if joined := slices.Sorted(maps.Keys(topics)); !slices.Equal(joined, sources) {
		return nil, fmt.Errorf("the example joins %q, and the orders have %q", joined, sources)
	}
	return topics, nil
}
