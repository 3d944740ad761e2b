package pubsub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"
)

// Variables of the process that runs the emulator.
const (
	addressVariable = "LOCAL_PUBSUB"      // where the emulator listens
	dataVariable    = "LOCAL_PUBSUB_DATA" // its folder
)

// startWithin is how long the emulator may take to start.
const startWithin = 2 * time.Minute

// StartEmulator starts Google's emulator with gcloud, and returns its address. It ends with this
// process, whatever ends that: a process that watches over it is this program, which has to call
// [RunEmulator] first of all. stop ends it at once.
func StartEmulator(ctx context.Context) (address string, stop func() error, err error) {
	for _, program := range []string{"gcloud", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", nil, fmt.Errorf("the Pub/Sub emulator needs %s, which is not installed: install the Google Cloud CLI with "+
				"its component pubsub-emulator, or set PUBSUB_EMULATOR_HOST to an emulator that runs", program)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address = listener.Addr().String()
	data, err := os.MkdirTemp("", "pubsub")
	if err := errors.Join(err, listener.Close()); err != nil {
		return "", nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	watch := exec.Command(program)
	watch.Env = append(os.Environ(), addressVariable+"="+address, dataVariable+"="+data)
	watch.SysProcAttr = ownGroup()
	stdin, err := watch.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := watch.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = watch.Wait() // it was told to end, or says nothing of use
		close(ended)
	}()
	stop = func() error {
		err := stdin.Close()
		<-ended
		return errors.Join(err, os.RemoveAll(data))
	}
	if err := awaitPort(ctx, address, ended); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return address, stop, nil
}

// awaitPort returns when something listens at the address.
func awaitPort(ctx context.Context, address string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if connection, err := net.Dial("tcp", address); err == nil {
			return connection.Close()
		}
		select {
		case <-ended:
			return errors.New("gcloud beta emulators pubsub start has ended: is its component pubsub-emulator installed?")
		case <-ctx.Done():
			return fmt.Errorf("the Pub/Sub emulator does not start: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// RunEmulator runs the emulator until this process's standard input ends, in a process that
// [StartEmulator] has started, and ends that process. In any other it does nothing.
func RunEmulator() {
	address := os.Getenv(addressVariable)
	if address == "" {
		return
	}
	data := os.Getenv(dataVariable)
	emulator := exec.Command("gcloud", "--quiet", "beta", "emulators", "pubsub", "start", "--host-port="+address,
		"--project="+Project, "--data-dir="+data)
	emulator.Env = append(os.Environ(), "CLOUDSDK_CORE_DISABLE_PROMPTS=1", "CLOUDSDK_CONFIG="+data)
	emulator.SysProcAttr = ownGroup()
	if err := emulator.Start(); err != nil {
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		killGroup(emulator)
	}()
	_ = emulator.Wait() // it was killed, or the port says that it is gone
	killGroup(emulator) // gcloud starts java
	os.Exit(0)
}
