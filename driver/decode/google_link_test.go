package decode_test

// A deployed function links this package together with the Cloud Storage client.
// google-cloudevents-go registers copies of Google's common protobuf files, and a program in
// which two packages register the same file panics when it starts. With this import these
// tests panic, too, if auditdata is ever used here again.
import _ "cloud.google.com/go/storage"
