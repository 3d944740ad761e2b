package drivertest_test

// flawless is the flaw of a store that has none.
const flawless = "none"

// claimFlaws are the flaws that records can have; exclusive is the harness's.
var claimFlaws = []struct {
	name      string
	exclusive bool
	breaks    []string
}{
	{"writes without comparing", false, []string{"Of any number of calls at once", "Of any number of takeovers at once"}},
	{"nothing is ever held", false, []string{"While another's lease", "Of any number of calls at once"}},
	{"hides its key", false, []string{"A claim says what it is", "Renew makes the lease end later"}},
	{"any lease length", false, []string{"The length of a lease"}},
	{"one lease for all keys", false, []string{"Keys do not disturb each other"}},
	{"token resets on release", false, []string{"A key that was released", "The token only grows"}},
	{"never says Takeover", false, []string{"A key whose lease ran out", "A takeover is given again", "A renewed lease runs out too"}},
	{"always says Takeover", false, []string{"A key that was released", "A claim says what it is"}},
	{"takeover keeps the token", false, []string{"A key whose lease ran out", "The token only grows"}},
	{"does not look at done again", true, []string{"A takeover and the old holder's Complete"}},
	{"zombies complete", false, []string{"A holder that was taken over", "Complete after Release", "A stranger"}},
	{"zombies renew", false, []string{"A holder that was taken over", "A stranger", "Renew after Release"}},
	{"zombies release", false, []string{"A holder that was taken over", "A stranger"}},
	{"forgets done after the lease", false, []string{"A completed key is done"}},
	{"completes once", false, []string{"Completing again"}},
	{"an expired claim is lost", false, []string{"A holder whose lease ran out can"}},
	{"Renew changes nothing", false, []string{"Renew makes the lease end later"}},
	{"renewed leases last", false, []string{"A renewed lease runs out"}},
	{"releases once", false, []string{"Releasing again"}},
	{"Release reopens", false, []string{"Release after Complete"}},
	{"ignores the owner", false, []string{"An owner that holds the key is given"}},
	{"a new claim for the owner", false, []string{"An owner that holds the key is given", "A takeover is given again"}},
	{"remembers old owners", false, []string{"An owner that gave the key up"}},
	{"compares Expires", false, []string{"A claim is its Key, Token and Owner"}},
	{"forgets the scope", false, []string{"Scopes do not disturb each other"}},
	{"glues the scope to the key", false, []string{"Scopes do not disturb each other"}},
	{"forgets the margin", false, []string{"A claim says what it is"}},
	{"forgets the mark", false, []string{"A claim has the mark"}},
	{"the last mark counts", false, []string{"A claim has the mark"}},
	{"a mark outlives the next holder", false, []string{"A claim has the mark"}},
	{"a mark is told once", false, []string{"A claim has the mark"}},
	{"forgets the pause", false, []string{"During the pause"}},
	{"a mark ends the pause", false, []string{"During the pause"}},
	{"a pause can't be ended", false, []string{"An early claim ends the pause"}},
	{"an early claim is always given", false, []string{"An early claim of a held"}},
	{"a pause never ends", false, []string{"A pause passes"}},
	{"a pause outlives the next holder", false, []string{"An early claim ends the pause"}},
	{"forgets the attempts", false, []string{"A claim has the attempts"}},
	{"attempts are told once", false, []string{"A claim has the attempts"}},
	{"a run that vanished is not counted", false, []string{"A claim has the attempts"}},
	{"a run that vanished is all that counts", false, []string{"A claim has the attempts"}},
	{"compares the owner alone", false, []string{"An older claim of the same owner"}},
	{"an owner's own lease runs out", false, []string{"An owner whose lease ran out"}},
	{"a claim given again is not longer", false, []string{"An owner whose lease ran out"}},
	{"a claim given again has the old margin", false, []string{"An owner that holds the key is given"}},
	{"Renew makes another claim", false, []string{"After Renew either claim"}},
	{"the token that is known is the one", false, []string{"The token in a claim that is asked for"}},
	{"a token that is known is held", false, []string{"The token in a claim that is asked for"}},
	{"two complete", false, []string{"What another handle released"}},
	{"accepts an empty owner", false, []string{"An empty owner"}},
	{"accepts an empty key", false, []string{"An empty key"}},
	{"ignores the context", false, []string{"A context that has ended"}},
}
