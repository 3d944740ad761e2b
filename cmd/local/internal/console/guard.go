package console

import (
	"mime"
	"net"
	"net/http"
	"strings"
)

// policy is the page's: it runs its own scripts, asks its own server, and is shown in no frame.
const policy = "default-src 'self'; object-src 'none'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// guard lets through to next what comes from the console's own page, and from programs on this
// machine. A page of another origin that is open in the same browser gets nothing, also where its
// host's name leads here (DNS rebinding).
func guard(addr string, next http.Handler) http.Handler {
	_, port, _ := net.SplitHostPort(addr)
	hosts := map[string]bool{addr: true}
	for _, name := range []string{"127.0.0.1", "localhost", "[::1]"} {
		hosts[name+":"+port] = true
		hosts[name] = hosts[name] || port == "80"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !hosts[strings.ToLower(r.Host)]:
			answer(w, http.StatusMisdirectedRequest, problem{"the console is not called so: open it by its address on this machine"})
		case !ownOrigin(r):
			answer(w, http.StatusForbidden, problem{"the console answers its own page only"})
		case r.Method == http.MethodPost && !isJSON(r):
			answer(w, http.StatusUnsupportedMediaType, problem{"changes are sent as application/json"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownOrigin says whether a request comes from the console's page, or from no page. Browsers say
// where a request comes from, in Sec-Fetch-Site or Origin; other programs send neither. A link on
// another page may lead here.
func ownOrigin(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" &&
		!strings.HasPrefix(r.URL.Path, "/api/")
}

func isJSON(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

// IsLoopback says whether an address is of this machine alone, as the console's must be.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
