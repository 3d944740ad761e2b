package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"example.com/eventdriver/driver"
)

type Shipment struct {
	Paid   struct{ Amount float64 } `json:"paid"`
	Packed struct{ Weight float64 } `json:"packed"`
}

// TODO: insure what is worth more. (A user's file may say so; the checks of this
// repository must not mind.)
type shipper struct{ url string }

func Business() (driver.Handler, error) {
	url, set := os.LookupEnv("SHIPPER_URL")
	if !set {
		return nil, errors.New("SHIPPER_URL must be the shipper's address; it is not set")
	}
	return driver.Named("ship", driver.JSON(shipper{url}.ship)), nil
}

func (s shipper) ship(ctx context.Context, key string, in Shipment) error {
	if in.Packed.Weight <= 0 {
		return driver.Permanent(fmt.Errorf("weight %v", in.Packed.Weight))
	}
	slog.InfoContext(ctx, "shipment booked", "parcel", key, "at", s.url, "amount", in.Paid.Amount)
	return nil
}
