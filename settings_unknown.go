package eventdriver

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// foreign are variables of others that begin like those of the function: of the
// platform, and of the clients of emulators.
var foreign = []string{"LOG_EXECUTION_ID", "BIGQUERY_EMULATOR_HOST"}

// UnknownVariables returns a sentence for each variable of environ, which has the form
// of [os.Environ], that may be misspelt: the function does not read it, but it begins
// like one that the function reads, or differs from one by a letter or two. It names
// the nearest one.
func UnknownVariables(environ []string) (sentences []string) {
	known := knownVariables()
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if slices.Contains(known, name) || slices.Contains(foreign, name) || serviceLink(name) || openTelemetrys(name) {
			continue
		}
		if nearest, suspicious := nearestVariable(name, known); suspicious {
			sentences = append(sentences, fmt.Sprintf("%s is not read; the variable with the nearest name is %s", name, nearest))
		}
	}
	slices.Sort(sentences)
	return sentences
}

// knownVariables returns the names of all variables that are read.
func knownVariables() (names []string) {
	for _, s := range settings() {
		names = append(names, s.name)
	}
	for _, v := range platformVariables {
		names = append(names, v.name)
	}
	return names
}

// openTelemetrys says whether a name is one of the many that OpenTelemetry's SDK reads.
func openTelemetrys(name string) bool { return strings.HasPrefix(name, "OTEL_") }

// serviceLink says whether a name is one that Kubernetes gives to containers for a
// service called event-driver, say.
func serviceLink(name string) bool {
	return strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_") || strings.HasSuffix(name, "_SERVICE_HOST")
}

// nearestVariable returns the known name that needs the fewest changes to be the
// name, and whether it is so near, or begins so alike, that it may be meant.
func nearestVariable(name string, known []string) (nearest string, suspicious bool) {
	upper, fewest := strings.ToUpper(name), 3 // a name that needs as many changes is not near
	beginsAlike := slices.ContainsFunc(known, func(k string) bool { return beginsLike(upper, k) })
	if beginsAlike {
		fewest = math.MaxInt
	}
	for _, k := range known {
		if longer := len(k) - len(upper); max(longer, -longer) >= fewest { // so the distance is, too
			continue
		}
		if n := distance(upper, k); n < fewest {
			nearest, fewest = k, n
		}
	}
	near := 1
	if len(nearest) >= 8 { // in a short name, two changes make another word of it
		near = 2
	}
	return nearest, fewest <= near || beginsAlike
}

// beginsLike says whether a name has the first word of a known one that is the
// function's own, and not the platform's.
func beginsLike(name, known string) bool {
	word, _, _ := strings.Cut(known, "_")
	return strings.HasPrefix(name, word+"_") && word != "K" && word != "GOOGLE" && word != "FUNCTION"
}

// distance returns how many bytes must be changed, added or left out to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the beginnings of a and b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
