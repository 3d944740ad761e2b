package serve

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// freePort returns addr with a free port in place of port 0, since the framework does not
// say which port it took. It fails if the port is taken.
func freePort(addr string) (string, error) {
	listener, err := listen("-addr", addr)
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// listen listens at the address that a flag has.
func listen(flag, addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %w: end the program that listens there; or with "+
			"%s=127.0.0.1:0 take a free port", flag, err, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return listener, nil
}
