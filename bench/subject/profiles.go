package subject

import (
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
)

// Profiled is the variable that has a program serve its profiles, too, blocking among them. They
// cost time, so a program that is measured does not.
const Profiled = "PROFILED"

func profiles(mux *http.ServeMux) {
	if os.Getenv(Profiled) == "" {
		return
	}
	runtime.SetBlockProfileRate(10_000)
	runtime.SetMutexProfileFraction(100)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
}
