package doctor

import (
	"fmt"
	"strings"

	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
)

// The memory that the function takes beside events, and for each small event at once; both
// deployments reckon with it.
const (
	ofProgram = 128 << 20
	ofEvent   = 4 << 20
)

// ofEvents is how many percent of the memory are for events: see docs/input.md.
const ofEvents = 50

// memory looks whether the events that may be there at once fit.
func memory(f facts) []Finding {
	n := on(f.resource())
	if f.memory == 0 {
		return nil
	}
	process := f.memory
	if own := bytes(f.Variables["GOMEMLIMIT"]); own > f.memory {
		n.add(Error, fmt.Sprintf("GOMEMLIMIT is %s, and an instance has %s", mebibytes(own), mebibytes(f.memory)),
			"instances are ended for lack of memory in the middle of runs, which may have acted",
			f.update("GOMEMLIMIT="+mebibytes(f.memory)))
	} else if own > 0 {
		process = own
	}
	if largest := convert.LargestBody(admission.New(process / 100 * ofEvents)); largest < f.Config.BodyLimit {
		n.add(Warning, fmt.Sprintf("%s are enough for a body of %d bytes, and BODY_LIMIT is %d",
			mebibytes(process), largest, f.Config.BodyLimit), "larger events are cut and dead-lettered",
			f.moreMemory(2<<20+16*f.Config.BodyLimit)+"; or a smaller BODY_LIMIT")
	}
	most := max((f.memory-ofProgram)/ofEvent, 1)
	if c := f.serving.Concurrency; c > most {
		n.add(Warning, fmt.Sprintf("an instance handles %d events at once, and %s are enough for %d", c,
			mebibytes(f.memory), most),
			"events are sent away, or the instance is ended for lack of memory in the middle of runs",
			f.moreMemory(ofProgram+c*ofEvent)+fmt.Sprintf("; or --concurrency=%d", most))
	}
	return n.all
}

// moreMemory returns the command that gives instances that much.
func (f facts) moreMemory(bytes int64) string {
	mib := mebibytes(bytes)
	return "gcloud run services update " + f.flags() + " --memory=" + strings.TrimSuffix(mib, "B") +
		" --update-env-vars=GOMEMLIMIT=" + mib
}

func mebibytes(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }
