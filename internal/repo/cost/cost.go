// Package cost computes what a whole deployment costs a month, from the requests of a join and
// list prices. docs/how-to/cost.md has its tables.
package cost

import "math"

// Deployment is what is deployed, and how much of it is used.
type Deployment struct {
	Joins   float64 // a month
	Sources int     // events of a join
	A, B    float64 // operations of Cloud Storage that are charged for a join, by class

	Business      float64 // seconds that the handler of a joined message takes
	MinInstances  int
	EventLines    bool // a log line for each event
	RequestLog    bool // Cloud Run's line for each request
	OutputTopic   bool
	MultiRegion   bool // the bucket
	RetentionDays float64
	Sweeps        float64 // a month
}

// Defaults is the deployment of the Terraform module with its defaults.
func Defaults(joins float64, sources int, a, b float64) Deployment {
	return Deployment{Joins: joins, Sources: sources, A: a, B: b, EventLines: true, RequestLog: true,
		RetentionDays: 7, Sweeps: 24 * days}
}

// List prices in dollars, of Google's regions of the lowest tier, without what is free for a project or a
// billing account.
const (
	million = 1e6
	gib     = 1 << 30

	priceA       = 5.0 / million // https://cloud.google.com/storage/pricing
	priceB       = 0.4 / million
	priceAMulti  = 10.0 / million
	priceGB      = 0.020 // a month of 1e9 bytes
	priceRequest = 0.4 / million
	priceCPU     = 0.000024  // a vCPU-second; https://cloud.google.com/run/pricing, request-based
	priceMemory  = 0.0000025 // a GiB-second
	priceIdle    = 0.0000025 // a vCPU-second of an instance that is kept warm
	pricePubSub  = 40.0 / (1 << 40)
	priceLog     = 0.50 / gib
	priceJob     = 0.10 // of Cloud Scheduler, a month
)

// What is assumed.
const (
	days        = 30.0
	month       = days * 24 * 3600
	billed      = 0.1    // seconds of an event without the business: three round trips, rounded up as they are billed
	cpuOfEvent  = 0.002  // seconds of CPU, with Cloud Storage: see docs/performance.md
	mostBusy    = 0.6    // of an instance's CPU before Cloud Run starts another
	memory      = 0.5    // GiB of an instance
	smallest    = 1000.0 // bytes that Pub/Sub charges for a message at least
	bytesOfLine = 1000.0 // in Cloud Logging, with what it adds
	bytesKept   = 1000.0 // of an object
	objectsList = 966.0  // that a list of a sweep finds, and
	cpuOfObject = 8e-6   // what it takes of each: docs/operations.md#what-looking-costs
)

// Item is a part of a bill.
type Item struct {
	Name    string
	Dollars float64
}

// Bill returns what a deployment costs a month.
func (d Deployment) Bill() []Item {
	return []Item{
		{"Cloud Storage: the operations of joins", d.operations()},
		{"Cloud Storage: what is kept", d.objects() * bytesKept / 1e9 * priceGB},
		{"Cloud Run: requests", d.events() * priceRequest},
		{"Cloud Run: CPU and memory", d.instances()},
		{"Eventarc, from Google's services and Pub/Sub", 0},
		{"Pub/Sub: events published and delivered", d.messages() * smallest * pricePubSub},
		{"Cloud Logging", d.lines() * bytesOfLine * priceLog},
		{"sweeps: lists and CPU", d.sweeps()},
	}
}

// Total is the sum of the bill.
func (d Deployment) Total() (dollars float64) {
	for _, item := range d.Bill() {
		dollars += item.Dollars
	}
	return dollars
}

func (d Deployment) events() float64 { return d.Joins * float64(d.Sources) }

func (d Deployment) operations() float64 {
	a := priceA
	if d.MultiRegion {
		a = priceAMulti
	}
	return d.Joins * (d.A*a + d.B*priceB)
}

// objects is how many are there: the events of a key, its claim and its completion.
func (d Deployment) objects() float64 {
	return d.Joins * d.RetentionDays / days * float64(d.Sources+2)
}

// instances is what instances cost while events are handled, and those that are kept warm beside that.
// Events come at random times all through the month. Seldom ones are billed one by one; those that
// overlap share an instance.
func (d Deployment) instances() float64 {
	perSecond := d.events() / month
	each := billed + d.Business/float64(d.Sources)
	busy := 1 - math.Exp(-perSecond*each)
	needed := max(1, perSecond*cpuOfEvent/mostBusy)
	dollars := busy * needed * month * (priceCPU + memory*priceMemory)
	idle := max(0, float64(d.MinInstances)-busy*needed)
	return dollars + idle*month*(priceIdle+memory*priceMemory)
}

func (d Deployment) messages() float64 {
	n := 2 * d.events()
	if d.OutputTopic {
		n += d.Joins // whoever subscribes pays for the delivery
	}
	return n
}

// lines is the log: one for each event, one of the business, one of Cloud Run for each request.
func (d Deployment) lines() (n float64) {
	if d.EventLines {
		n += d.events() + d.Joins
	}
	if d.RequestLog {
		n += d.events()
	}
	return n
}

func (d Deployment) sweeps() float64 {
	if d.Sweeps == 0 {
		return 0
	}
	lists := max(1, d.objects()/objectsList)
	cpu := d.objects() * cpuOfObject
	return priceJob + d.Sweeps*(lists*priceA+cpu*(priceCPU+memory*priceMemory))
}
