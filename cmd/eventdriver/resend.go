package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/letters"
	"example.com/eventdriver/publish"
)

// resend are the flags of letters resend.
type resend struct {
	*changing
	of                *lettersOf
	url, topic, token string
	file              string
	keep              bool
}

func newLettersResend(of *lettersOf) *cobra.Command {
	r := &resend{changing: &changing{globals: of.globals}, of: of}
	c := &cobra.Command{
		Use:   "resend ID… | --file=F",
		Short: "Send dead letters again, once their cause is fixed",
		Long: "resend sends the events of letters again, as they came. Fix the cause first. Sending a letter twice does\n" +
			"no harm.\n\n" +
			"They go to the function: to --url, or to the URL of --service, with an identity token of gcloud. You need\n" +
			"roles/run.invoker, and the function's ingress must let you in. Or they go to a source's topic (--topic),\n" +
			"which works from anywhere, with roles/pubsub.publisher.\n\n" +
			"A letter whose event was processed is deleted, unless --keep is given. One whose event waits for others,\n" +
			"or that went to a topic, is kept: look at its key with why, then drop it.\n\n" +
			"A letter whose reason is incomplete is refused: its join has ended.\n\n" +
			"--file sends a letter that was corrected: write it with letters show ID --payload --json, and change its\n" +
			"body. Nothing is deleted then.\n\n" +
			"Exit code 1: not all of them were processed or published.",
		Example: "  eventdriver letters resend ID --service=orders --region=europe-west1 --project=my-project\n" +
			"  eventdriver letters resend ID --topic=projects/my-project/topics/orders-created --yes",
		RunE: func(c *cobra.Command, refs []string) error {
			if (r.file == "") == (len(refs) == 0) {
				return errors.New("give the IDs of letters, or --file")
			}
			if err := r.checkPlace(); err != nil {
				return err
			}
			return of.open(c.Context(), func(f function, box driver.LetterBox) error {
				return r.resend(c.Context(), f, box, refs)
			})
		},
	}
	r.flags(c)
	flags := c.Flags()
	flags.StringVar(&r.url, "url", "", "the function's `URL`, without a path")
	flags.StringVar(&r.topic, "topic", "", "a source's `topic`, as in projects/my-project/topics/my-topic, instead of the function")
	flags.StringVar(&r.token, "token", "", "an identity `token`; the default is what gcloud auth print-identity-token prints")
	flags.StringVar(&r.file, "file", "", "a `file` with a letter to send, instead of those that are kept")
	flags.BoolVar(&r.keep, "keep", false, "delete no letter")
	return c
}

// checkPlace says what is wrong with the flags that say where letters go.
func (r *resend) checkPlace() error {
	if r.url == "" {
		return nil
	}
	if r.topic != "" {
		return errors.New("give --url or --topic, not both")
	}
	if u := addressIn(r.url); u == nil || strings.Contains(u.Path, "/events/") {
		return fmt.Errorf("--url must be the function's, as in https://orders-abc.a.run.app, without the path of a source; it is %q", r.url)
	}
	return nil
}

func (r *resend) resend(ctx context.Context, f function, box driver.LetterBox, refs []string) error {
	if r.url == "" {
		r.url = f.url
	}
	if r.topic == "" && r.url == "" {
		return errors.New("where to? Give --service, --url or --topic")
	}
	to := r.url
	if r.topic != "" {
		to = r.topic
	}
	if r.file != "" {
		refs = []string{r.file}
	}
	named, refused := r.mayEach(ctx, fmt.Sprintf("send again to %s: ", to), refs, func(ref string) error {
		_, err := r.sendable(ctx, f, box, ref)
		return err
	})
	if len(named) == 0 {
		return refused
	}
	return andRefused(r.sendEach(ctx, f, box, named), refused)
}

func (r *resend) sendEach(ctx context.Context, f function, box driver.LetterBox, refs []string) error {
	sender, free, err := r.sender(ctx)
	if err != nil {
		return fails(err)
	}
	defer free()
	all := true
	err = eachLetter(refs, func(ref string) error {
		result, err := r.one(ctx, f, box, sender, ref)
		all = all && (result == letters.Processed || result == letters.Published)
		return err
	})
	if err == nil && !all {
		return outcome{code: found}
	}
	return err
}

// longestRun is what Cloud Run allows.
const longestRun = time.Hour

// errEnded refuses a letter whose key is completed as expired.
var errEnded = driver.Permanent(fmt.Errorf("it is %s: its join has ended, and the function would acknowledge it and do nothing; "+
	"act on its contents by hand (letters show ID --payload), then drop it; or copy it with letters show ID --payload --json, purge the "+
	"key, and send the copy with --file", driver.ReasonIncomplete))

// wrongTopic refuses a letter whose event would become one of another source: that of the topic's messages. An order has
// its events' sources in it.
func wrongTopic(f function, topic string, d driver.DeadLetter) error {
	source, named := strings.CutPrefix(d.Path, "/events/")
	if !named || letters.IsOrder(d) {
		return nil
	}
	name := path.Base(topic)
	for other, aliases := range f.config.SourceAliases {
		if other != source && (other == name || slices.Contains(aliases, name)) {
			return driver.Permanent(fmt.Errorf("it is of the source %s, and the topic %s is that of %s, which its event would "+
				"become one of", source, name, other))
		}
	}
	return nil
}

// one sends one letter, and deletes it if its event was processed.
func (r *resend) one(ctx context.Context, f function, box driver.LetterBox, sender letters.Sender, ref string) (letters.Result, error) {
	d, err := r.sendable(ctx, f, box, ref)
	if err != nil {
		return "", err
	}
	var answer letters.Answer
	err = r.carryOut(ctx, f, operation{action: "letters resend", about: []any{"letter", ref, "key", d.Key}, within: longestRun,
		do: func(ctx context.Context) (_ []any, err error) {
			answer, err = sender.Send(ctx, d)
			return []any{"result", answer.Result, "status", answer.Status}, err
		}})
	if err != nil {
		return "", err
	}
	if answer.Result == letters.Processed && !r.keep && r.file == "" {
		if err := r.drop(ctx, f, box, ref); err != nil && !errors.Is(err, driver.ErrNotFound) {
			return "", err
		}
	}
	if r.json {
		return answer.Result, r.printJSON(struct {
			Ref string `json:"ref"`
			letters.Answer
		}{ref, answer})
	}
	return answer.Result, r.printText(strings.TrimRight(fmt.Sprintf("%s: %s %s", plain(ref), answer.Result, plain(answer.Text)), " ") + "\n")
}

// sendable returns a letter, unless it must not be sent.
func (r *resend) sendable(
	ctx context.Context, f function, box driver.LetterBox, ref string,
) (driver.DeadLetter, error) {
	d, err := r.read(ctx, box, ref)
	switch {
	case err != nil:
		return d, err
	case d.Reason == driver.ReasonIncomplete && r.file == "":
		return d, errEnded
	case d.Cut:
		return d, letters.ErrCut
	case r.topic != "":
		err = wrongTopic(f, r.topic, d)
	}
	if err == nil && r.file != "" { // it may have been changed
		within, cancel := context.WithTimeout(ctx, lettersWithin)
		defer cancel()
		err = letters.Overruled(within, f.state.Events, d)
	}
	return d, err
}

// read returns a letter that is kept, or that of the file.
func (r *resend) read(ctx context.Context, box driver.LetterBox, ref string) (driver.DeadLetter, error) {
	if r.file == "" {
		ctx, cancel := context.WithTimeout(ctx, lettersWithin)
		defer cancel()
		return box.ReadLetter(ctx, ref)
	}
	text, err := os.ReadFile(r.file)
	if err != nil {
		return driver.DeadLetter{}, err
	}
	return letters.Parse(text)
}

// sender returns what sends letters to where the flags say. free ends it.
func (r *resend) sender(ctx context.Context) (sender letters.Sender, free func(), err error) {
	if r.topic != "" {
		topic, err := publish.Open(ctx, r.topic)
		if err != nil {
			return nil, nil, fmt.Errorf("--topic: %w", err)
		}
		return letters.Topic{Topic: topic}, func() { _ = topic.Close() }, nil
	}
	if r.token == "" && strings.HasPrefix(r.url, "https://") {
		if r.token, err = identityToken(ctx); err != nil {
			return nil, nil, err
		}
	}
	return letters.Function{URL: r.url, Token: r.token, Client: &http.Client{}}, func() {}, nil
}

// identityToken asks gcloud for one, since the client libraries have none for people.
func identityToken(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "gcloud", "auth", "print-identity-token").Output()
	if err != nil {
		return "", fmt.Errorf("gcloud auth print-identity-token: %w; log in with gcloud auth login, or give --token", err)
	}
	return strings.TrimSpace(string(out)), nil
}
