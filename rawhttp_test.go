package eventdriver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

const rawEvent = "Host: h\r\nCe-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Source: event2\r\nCe-Type: t\r\nCe-Key: k\r\nContent-Type: application/json\r\n"

// rawHTTP are requests as bytes, and the statuses of the answers. The client sends no more.
var rawHTTP = []struct{ name, request, statuses string }{
	{"an event", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"`ce-` headers in small letters", "POST / HTTP/1.1\r\n" + strings.ToLower(rawEvent) + "Content-Length: 2\r\n\r\n{}", "202"},
	{"HTTP/1.0", "POST / HTTP/1.0\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"chunks", "POST / HTTP/1.1\r\n" + rawEvent + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "202"},
	{"chunks, and a trailer", "POST / HTTP/1.1\r\n" + rawEvent + "Transfer-Encoding: chunked\r\nTrailer: Ce-Key\r\n\r\n2\r\n{}\r\n0\r\nCe-Key: l\r\n\r\n", "202"},
	{"two events, one after the other", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202 202"},
	{"`Expect: 100-continue`", "POST / HTTP/1.1\r\n" + rawEvent + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "100 202"},
	{"another path", "POST /any/path?a=b HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"another path, with a slash at its end", "POST /any/path/ HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"a source's path", "POST /events/event3 HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"the path of a source that is not configured", "POST /events/event9 HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "200"},
	{"a source's path, spelled otherwise: another path", "POST /events/event%39 HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"a source's path, with a slash at its end: another path", "POST /events/event9/ HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "202"},
	{"`Content-Encoding: gzip`", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", "200"},
	{"a header of 500 KB", "POST / HTTP/1.1\r\n" + rawEvent + "Ce-X: " + strings.Repeat("x", 500_000) + "\r\nContent-Length: 2\r\n\r\n{}", "202"},
	{"a body that is too large", "POST / HTTP/1.1\r\n" + rawEvent + fmt.Sprintf("Content-Length: %d\r\n\r\n", 11<<20) + strings.Repeat(" ", 11<<20), "200"},
	{"GET", "GET / HTTP/1.1\r\n" + rawEvent + "\r\n", "405"},
	{"OPTIONS, with what a webhook's validation asks", "OPTIONS / HTTP/1.1\r\n" + rawEvent + "Webhook-Request-Origin: o\r\n\r\n", "405"},
	{"a path that is not clean", "POST //a/../b HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}", "307"},
	{"a body shorter than its `Content-Length`", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: 100\r\n\r\n{}", "400"},
	{"a body longer than its `Content-Length`", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\n\r\n{}xx\r\n\r\n", "202 400"},
	{"malformed chunks", "POST / HTTP/1.1\r\n" + rawEvent + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n", "400"},
	{"chunks that end early", "POST / HTTP/1.1\r\n" + rawEvent + "Transfer-Encoding: chunked\r\n\r\n2\r\n{", "400"},
	{"two `Content-Length` that differ", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"},
	{"`Content-Length` that is not a number", "POST / HTTP/1.1\r\n" + rawEvent + "Content-Length: -2\r\n\r\n{}", "400"},
	{"another `Transfer-Encoding`", "POST / HTTP/1.1\r\n" + rawEvent + "Transfer-Encoding: gzip\r\n\r\n{}", "501"},
	{"another `Expect`", "POST / HTTP/1.1\r\n" + rawEvent + "Expect: x\r\nContent-Length: 2\r\n\r\n{}", "417"},
	{"no `Host`", "POST / HTTP/1.1\r\nCe-Id: 1\r\nContent-Length: 2\r\n\r\n{}", "400"},
	{"a header without a colon", "POST / HTTP/1.1\r\n" + rawEvent + "garbage\r\n\r\n", "400"},
	{"NUL in a header", "POST / HTTP/1.1\r\n" + rawEvent + "Ce-Y: a\x00b\r\n\r\n", "400"},
	{"a header of 2 MB", "POST / HTTP/1.1\r\n" + rawEvent + "Ce-X: " + strings.Repeat("x", 2_000_000) + "\r\n\r\n", "431"},
	{"100,000 headers", "POST / HTTP/1.1\r\n" + rawEvent + strings.Repeat("Ce-X: abcdefgh\r\n", 100_000) + "\r\n", "431"},
	{"another protocol: TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", "400"},
	{"another protocol: garbage", "\x00\xff\r\n\r\n", "400"},
}

// Each of these gets its answer from the function as it is deployed, under the
// Functions Framework's server, and the instance goes on.
func TestRawHTTP(t *testing.T) {
	p := start(t)
	for _, c := range rawHTTP {
		if got := raw(t, p.URL, c.request, c.statuses); got != c.statuses {
			t.Errorf("%s: %s; want %s", c.name, got, c.statuses)
		}
	}
	if status, answer := post(t, p.URL, "event1", "order-1", `1`); !taken(status) {
		t.Errorf("after all that: %d %s", status, answer)
	}
}

// raw sends a request and returns the statuses of as many answers as are wanted.
// Where a request is to be refused, the client closes its side, so that the server
// does not wait for more. (One that closes it and is to be served has gone away, to
// the server.)
func raw(t *testing.T, url, request, want string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // a request that hangs fails the test
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(c, request) // the server may not read all of it
		if want == "400" {
			_ = c.(*net.TCPConn).CloseWrite()
		}
	}()
	var statuses []string
	for reader := bufio.NewReader(c); len(statuses) <= strings.Count(want, " "); {
		answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodPost})
		if err != nil {
			break
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		statuses = append(statuses, fmt.Sprint(answer.StatusCode))
	}
	<-sent
	return strings.Join(statuses, " ")
}
