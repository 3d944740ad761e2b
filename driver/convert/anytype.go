package convert

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// lenientTypes resolves the types of google.protobuf.Any as the global registry
// does, and any that it doesn't know as a message without fields. Audit logs
// carry the types of all of Google's services: that this program wasn't linked
// with one of them makes no event wrong.
type lenientTypes struct{}

// FindMessageByName implements the resolver of protojson.
func (lenientTypes) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if known, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil {
		return known, nil
	}
	return opaque, nil
}

// FindMessageByURL implements the resolver of protojson.
func (lenientTypes) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	if known, err := protoregistry.GlobalTypes.FindMessageByURL(url); err == nil {
		return known, nil
	}
	return opaque, nil
}

// FindExtensionByName implements the resolver of protojson.
func (lenientTypes) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

// FindExtensionByNumber implements the resolver of protojson.
func (lenientTypes) FindExtensionByNumber(message protoreflect.FullName, n protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByNumber(message, n)
}

// opaque is a message without fields that, unlike google.protobuf.Empty, has no
// JSON form of its own.
var opaque = func() protoreflect.MessageType {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:        proto.String("example.com/eventdriver/convert/opaque.proto"),
		Package:     proto.String("eventdriver.convert"),
		Syntax:      proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Opaque")}},
	}, nil)
	if err != nil {
		panic("convert: " + err.Error()) // the descriptor above is a constant
	}
	return dynamicpb.NewMessageType(file.Messages().Get(0))
}()

// anyField says whether m has a value in any of the fields that its type knows.
func anyField(m proto.Message) bool {
	found := false
	m.ProtoReflect().Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool {
		found = true
		return false
	})
	return found
}
