package eventdriver

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/driver/convert"
)

// oneConn is a listener with one connection.
type oneConn chan net.Conn

func (l oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l oneConn) Close() error   { close(l); return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// Those who are turned away are not waited for either, in fake time.
func TestSlowClientsAreTurnedAway(t *testing.T) {
	for status, f := range map[int]*Function{
		http.StatusServiceUnavailable:  newFunction(DefaultConfig(), count(), nil),
		http.StatusInternalServerError: newFunction(DefaultConfig(), count(), fmt.Errorf("LEASE is wrong")),
	} {
		f.draining.Store(status == http.StatusServiceUnavailable)
		synctest.Test(t, func(t *testing.T) {
			listener, server := make(oneConn, 1), &http.Server{Handler: f}
			client, conn := net.Pipe()
			listener <- conn
			served := make(chan error, 1)
			go func() { served <- server.Serve(listener) }()
			start := time.Now()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				fmt.Fprint(client, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
				for _, err := client.Write([]byte(" ")); err == nil; _, err = client.Write([]byte(" ")) {
					time.Sleep(time.Second)
				}
			}()
			answer, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || answer.StatusCode != status || time.Since(start) > time.Second {
				t.Errorf("%v, %v after %v; want %d at once", answer, err, time.Since(start), status)
			}
			<-gone // which it is when the server has closed the connection
			if held := time.Since(start); held > convert.DefaultClientTimeout+10*time.Second {
				t.Errorf("the connection was held for %v", held)
			}
			client.Close()
			server.Close()
			<-served
		})
	}
}
