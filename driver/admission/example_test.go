package admission_test

import (
	"context"
	"fmt"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
)

// A request asks for its bytes before it is read, and gives them back when it is answered.
func ExampleNew() {
	gate := admission.New(256 << 20)
	grant, err := gate.Admit(context.Background(), 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("in use:", gate.InUse())
	grant.Release()
	fmt.Println("in use:", gate.InUse())

	_, err = gate.Admit(context.Background(), 200<<20)
	fmt.Println(driver.ReasonOf(err))
	// Output:
	// in use: 1048576
	// in use: 0
	// too-large
}
