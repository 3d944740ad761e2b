package doctor

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mistake is one thing that is wrong with a deployment.
type mistake struct {
	name     string
	world    func() *world // nil: Terraform's
	make     func(*world)
	severity Severity
	problem  string // a part of the finding
}

// mistakes are by the check that finds them, and it alone.
var mistakes = map[string][]mistake{
	"unread":       unreadMistakes,
	"settings":     settingsMistakes,
	"timing":       timingMistakes,
	"memory":       memoryMistakes,
	"service":      serviceMistakes,
	"retries":      retriesMistakes,
	"delivery":     deliveryMistakes,
	"ack-deadline": ackDeadlineMistakes,
	"sources":      sourcesMistakes,
	"sweep":        sweepMistakes,
	"letters":      lettersMistakes,
	"bucket":       bucketMistakes,
	"dataset":      datasetMistakes,
	"state":        stateMistakes,
	"shared":       sharedMistakes,
	"moved":        movedMistakes,
	"permissions":  permissionsMistakes,
	"public":       publicMistakes,
}

// TestEachMistakeIsFound makes one mistake at a time in a sound deployment. The check that it is
// for finds it, and no other check is misled by it.
func TestEachMistakeIsFound(t *testing.T) {
	for _, check := range Checks() {
		if len(mistakes[check.Name]) == 0 {
			t.Errorf("nothing shows that the check %s finds anything", check.Name)
		}
		for _, m := range mistakes[check.Name] {
			t.Run(check.Name+"/"+m.name, func(t *testing.T) { m.test(t, check.Name) })
		}
	}
}

func (m mistake) test(t *testing.T, check string) {
	w := byTerraform()
	if m.world != nil {
		w = m.world()
	}
	m.make(w)
	findings := w.examine(t)
	if !slices.ContainsFunc(findings, func(f Finding) bool {
		return f.Check == check && f.Severity == m.severity && strings.Contains(fmt.Sprint(f), m.problem)
	}) {
		t.Errorf("no %s of %s says %q; found %q", m.severity, check, m.problem, findings)
	}
	for _, f := range findings {
		if f.Check != check {
			t.Errorf("misled: %s", f)
		}
		if f.Resource == "" || f.Problem == "" || f.Why == "" || f.Remedy == "" {
			t.Errorf("it does not say all: %+v", f)
		}
	}
}
