package decode_test

// A deployed function links this package together with the Cloud Storage client.
// google-cloudevents-go registers copies of Google's common protobuf files, and
// where two packages register the same one the program panics when it starts: so
// do these tests, thanks to this import, if auditdata is ever used here again.
import _ "cloud.google.com/go/storage"
