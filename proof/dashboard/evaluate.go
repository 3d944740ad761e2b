package dashboard

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// sample is the value of a time series at some time.
type sample struct {
	labels map[string]string
	value  float64
}

// name is the same for the same labels.
func name(labels map[string]string) string {
	var b strings.Builder
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(label + "\x00" + labels[label] + "\x00")
	}
	return b.String()
}

type selector struct {
	metric string
	labels map[string]string
}

func (s selector) matches(one timeSeries) bool {
	for label, value := range s.labels {
		if one.labels[label] != value {
			return false
		}
	}
	return true
}

// lookback is how old a point may be that still counts, in seconds.
const lookback = 300

// at returns the last points before a time.
func (s selector) at(r *Recording, at float64) (found []sample) {
	for _, one := range r.series(s.metric) {
		if !s.matches(one) {
			continue
		}
		if within := one.within(at-lookback, at); len(within) > 0 {
			found = append(found, sample{one.labels, within[len(within)-1].value})
		}
	}
	return found
}

// growth returns how much the counters have grown within a window, divided by per.
func (s selector) growth(r *Recording, at, window, per float64) (found []sample) {
	for _, one := range r.series(s.metric) {
		if !s.matches(one) {
			continue
		}
		if within := one.within(at-window, at); len(within) > 1 {
			found = append(found, sample{one.labels, increase(within, at-window, at) / per})
		}
	}
	return found
}

// increase is what Prometheus takes for the growth of a counter between two times: it goes on from the first and the
// last point to the ends of the window, as far as these are near, and never below zero.
func increase(points []point, from, to float64) float64 {
	first, last := points[0], points[len(points)-1]
	grown := last.value - first.value
	for i := range points[1:] {
		if points[i+1].value < points[i].value {
			grown += points[i].value // it was reset
		}
	}
	between := last.at - first.at
	average := between / float64(len(points)-1)
	before, after := first.at-from, to-last.at
	if before >= average*1.1 {
		before = average / 2
	}
	if grown > 0 {
		before = min(before, between*first.value/grown)
	}
	if after >= average*1.1 {
		after = average / 2
	}
	return grown * (between + before + after) / between
}

func or(left, right expression) expression {
	return func(r *Recording, at float64) []sample {
		samples := left(r, at)
		there := names(samples)
		for _, s := range right(r, at) {
			if !there[name(s.labels)] {
				samples = append(samples, s)
			}
		}
		return samples
	}
}

func unless(left, right expression) expression {
	return func(r *Recording, at float64) []sample {
		there := names(right(r, at))
		return slices.DeleteFunc(left(r, at), func(s sample) bool { return there[name(s.labels)] })
	}
}

func names(samples []sample) map[string]bool {
	there := make(map[string]bool)
	for _, s := range samples {
		there[name(s.labels)] = true
	}
	return there
}

func scaled(inner expression, by float64) expression {
	return func(r *Recording, at float64) []sample {
		samples := inner(r, at)
		for i := range samples {
			samples[i].value *= by
		}
		return samples
	}
}

// aggregated is sum or max, for each set of values of the labels.
func aggregated(operation string, by []string, inner expression) expression {
	return func(r *Recording, at float64) []sample {
		groups := make(map[string]sample)
		for _, s := range inner(r, at) {
			labels := make(map[string]string, len(by))
			for _, label := range by {
				if value, has := s.labels[label]; has {
					labels[label] = value
				}
			}
			group, begun := groups[name(labels)]
			switch {
			case !begun:
				group = sample{labels, s.value}
			case operation == "sum":
				group.value += s.value
			default:
				group.value = max(group.value, s.value)
			}
			groups[name(labels)] = group
		}
		return sorted(groups)
	}
}

func sorted(groups map[string]sample) (samples []sample) {
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		samples = append(samples, groups[group])
	}
	return samples
}

// quantileOf is a quantile of each histogram, whose buckets have the label le.
func quantileOf(quantile float64, inner expression) expression {
	return func(r *Recording, at float64) []sample {
		histograms := make(map[string][]bucket)
		labels := make(map[string]map[string]string)
		for _, s := range inner(r, at) {
			upTo, err := strconv.ParseFloat(s.labels["le"], 64)
			if err != nil {
				continue
			}
			rest := maps.Clone(s.labels)
			delete(rest, "le")
			labels[name(rest)] = rest
			histograms[name(rest)] = append(histograms[name(rest)], bucket{upTo, s.value})
		}
		found := make(map[string]sample)
		for which, buckets := range histograms {
			if value := within(buckets, quantile); !math.IsNaN(value) {
				found[which] = sample{labels[which], value}
			}
		}
		return sorted(found)
	}
}

// bucket is how many values of a histogram are not above a bound.
type bucket struct{ upTo, count float64 }

// within returns the quantile of values that are spread evenly in their buckets; NaN: there are no values.
func within(buckets []bucket, quantile float64) float64 {
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.upTo, b.upTo) })
	rank := quantile * buckets[len(buckets)-1].count
	if rank <= 0 || len(buckets) < 2 {
		return math.NaN()
	}
	i := slices.IndexFunc(buckets, func(b bucket) bool { return b.count >= rank })
	if i == len(buckets)-1 {
		return buckets[i-1].upTo
	}
	below := bucket{}
	if i > 0 {
		below = buckets[i-1]
	}
	return below.upTo + (buckets[i].upTo-below.upTo)*(rank-below.count)/(buckets[i].count-below.count)
}
