package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"example.com/eventdriver/internal/fake/proxy"
)

// echo is a server that sends each line back, with its name before it.
func echo(t *testing.T, name string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for s := bufio.NewScanner(c); s.Scan(); {
					fmt.Fprintln(c, name, s.Text())
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func start(t *testing.T, target string) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Start(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func say(c net.Conn, text string) (string, error) {
	if _, err := fmt.Fprintln(c, text); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

// ask says something on a connection of its own.
func ask(p *proxy.Proxy, text string) (string, error) {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return "", err
	}
	defer c.Close()
	return say(c, text)
}

func TestProxyPassesOn(t *testing.T) {
	p := start(t, echo(t, "a"))
	c := dial(t, p)
	for _, text := range []string{"one", "two"} {
		if got, err := say(c, text); got != "a "+text+"\n" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestCutAndRestore(t *testing.T) {
	p := start(t, echo(t, "a"))
	old := dial(t, p)
	if _, err := say(old, "before"); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if got, err := say(old, "cut"); err == nil {
		t.Errorf("a connection that was cut answers %q", got)
	}
	if got, err := ask(p, "cut"); err == nil {
		t.Errorf("a new connection answers %q", got)
	}
	p.Restore()
	if got, err := ask(p, "restored"); got != "a restored\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSlowAnswersComeWhole(t *testing.T) {
	p := start(t, echo(t, "a"))
	p.Slow(20 * time.Millisecond)
	began := time.Now()
	if got, err := ask(p, "slow"); got != "a slow\n" || time.Since(began) < 20*time.Millisecond {
		t.Errorf("%q, %v after %v", got, err, time.Since(began))
	}
}

func TestSetTarget(t *testing.T) {
	p := start(t, echo(t, "a"))
	old := dial(t, p)
	if _, err := say(old, "before"); err != nil {
		t.Fatal(err)
	}
	p.SetTarget(echo(t, "b"))
	if _, err := old.Read(make([]byte, 1)); err == nil {
		t.Errorf("the old connection lives: %v", err)
	}
	if got, err := ask(p, "now"); got != "b now\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTargetThatIsNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.Addr().String()
	listener.Close()
	if got, err := ask(start(t, gone), "hello"); err == nil {
		t.Errorf("nobody answers %q", got)
	}
}
