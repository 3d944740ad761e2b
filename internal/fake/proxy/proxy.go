// Package proxy stands between a process and a server, to cut their connections or
// slow them down. Nothing that is deployed imports it.
package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy passes TCP connections on. Make one with [Start]; it is safe for
// concurrent use.
type Proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu          sync.Mutex
	target      string
	cut         bool
	slow        time.Duration
	connections map[net.Conn]struct{} // both sides of each
	closed      bool
}

// Start starts a proxy on a free port of 127.0.0.1 that passes on to target, a host
// and port.
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, target: target, connections: make(map[net.Conn]struct{})}
	p.running.Go(p.accept)
	return p, nil
}

// Addr returns the host and port at which the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetTarget passes new connections on to another server, and cuts the old ones.
func (p *Proxy) SetTarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
	p.closeAll()
}

// Cut cuts all connections in the middle of their work, and every new one, until Restore.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.closeAll()
}

// Restore ends Cut.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Slow delays all that the server sends from now on, by d each time.
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

// Close cuts everything and returns when nothing runs any more.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.closeAll()
	p.mu.Unlock()
	p.running.Wait()
	return err
}

// closeAll is called with the lock.
func (p *Proxy) closeAll() {
	for c := range p.connections {
		abort(c)
	}
}

// abort closes a connection so that the other side is told at once, with a reset.
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of files, for example
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.running.Go(func() { p.serve(client) })
	}
}

// serve passes one connection on until either side closes it.
func (p *Proxy) serve(client net.Conn) {
	defer abort(client)
	target, ok := p.add(client)
	if !ok {
		return
	}
	defer p.remove(client)
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer abort(server)
	if _, ok := p.add(server); !ok {
		return
	}
	defer p.remove(server)

	var there sync.WaitGroup
	there.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	p.copyBack(client, server)
	abort(client)
	abort(server)
	there.Wait()
}

// copyBack passes on what the server sends, slowly if that was asked for.
func (p *Proxy) copyBack(client, server net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			time.Sleep(p.pace())
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) pace() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slow
}

// add notes a connection, and returns where it leads; false: it is cut.
func (p *Proxy) add(c net.Conn) (target string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return "", false
	}
	p.connections[c] = struct{}{}
	return p.target, true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.connections, c)
}
