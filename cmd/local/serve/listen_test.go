package serve

import (
	"net"
	"strings"
	"testing"
)

func TestPortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = listen("-console-addr", taken.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "-console-addr=127.0.0.1:0") {
		t.Errorf("error %v; want one that says how to take a free port", err)
	}
	if _, err := listen("-console-addr", "nowhere"); err == nil || !strings.HasPrefix(err.Error(), "-console-addr: ") {
		t.Errorf("error %v; want one that names the flag", err)
	}
}
