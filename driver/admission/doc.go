// Package admission bounds the bytes that a process holds for the events that it
// handles, so that many large ones at once do not end it.
//
// # The invariant
//
// Whatever arrives, the bytes that are held are never more than the gate's total. Each
// byte of an event, and of what it is joined with, belongs to exactly one grant while
// it is reachable, and each grant is within one of three shares:
//
//   - small: requests of up to [Small] bytes have a sixteenth of their own, so that
//     they do not wait behind large ones;
//   - large: all others have three eighths;
//   - the lane: the rest, nine sixteenths, belongs to one request at a time.
//
// A request asks for its bytes before its body is read, and waits for a short time,
// first come, first served. It holds nothing yet, so this can't deadlock. Once it holds
// bytes it never waits for more: it tries to grow ([Grant.Grow]), in its share while that has
// room and nobody waits for it, else in the lane. It is refused when another has the lane.
// Then it gives everything back, and its event is delivered again. The one that has the lane is
// never refused until it has grown by as much as the lane has, so at any time one request can come to its
// end. What would grow by more never succeeds, however little else there is: that is
// an error of [driver.ReasonTooLarge], and does not depend on the load.
//
// A grant ends when the request has been answered and all handlers have ended, also
// those that a pipeline abandoned when its context ended. While one of these hangs,
// its bytes are missing.
//
// What [driver.JSON] makes of a content is counted. What a handler allocates by itself is not counted
// unless it calls [driver.Grow].
package admission
