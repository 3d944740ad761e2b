package convert_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/driver/internal/eventtest"
)

func googleHostiles(t testing.TB) map[string]hostile {
	typed := func(eventType, contentType, body string) inputs {
		return one(func() *http.Request { return eventtest.Binary(body, "Ce-Type", eventType, "Content-Type", contentType) })
	}
	firestore := func(body string) inputs { return typed(eventtest.FirestoreType, "application/protobuf", body) }
	storage := func(body string) inputs { return typed(eventtest.StorageType, "application/json", body) }
	audit := func(body string) inputs { return typed(eventtest.AuditType, "application/json", body) }
	document := string(eventtest.Document(t))
	return map[string]hostile{
		"unknown fields [Storage, unknown fields]": {storage(`{"bucket":"b","new":{"a":[1]}}`), accepted, ""},
		"Storage, members null: as if absent": {each(storage(`{"metadata":{"n":null}}`), storage(`{"metadata":{"a":"1","n":null,"b":"2"},"size":null}`),
			storage(`{"bucket":null}`), storage(`{"metadata":{"n":null, "m" : null },"owner":null,"name":"a\":null"}`)), accepted, ""},
		"[Storage, byte order mark before it]":                                                         {storage("\ufeff{}"), accepted, ""},
		"Firestore in JSON or protobuf, also undeclared or wrapped [protobuf, without a content type]": {each(untyped(eventtest.FirestoreType, document), typed(eventtest.FirestoreType, "application/octet-stream", document)), accepted, ""},
		"Firestore in JSON or protobuf, also undeclared or wrapped [protobuf, wrapped]": {each(
			wrap(fmt.Sprintf(firestoreAttributes, `,"content-type":"application/protobuf"`), document),
			wrap(fmt.Sprintf(firestoreAttributes, `,"Content-Type":"application/protobuf"`), document),
			wrap(fmt.Sprintf(firestoreAttributes, `,"ce-datacontenttype":"application/protobuf"`), document),
			wrap(fmt.Sprintf(firestoreAttributes, ``), document)), accepted, ""},
		"Datastore: not supported": {each(typed("google.cloud.datastore.entity.v1.written", "application/protobuf", document),
			typed("google.cloud.datastore.entity.v1.created.withAuthContext", "application/json", `{}`)), undecodable, "Datastore"},
		"no body, or text [Storage, no body]":                                                                      {storage(``), undecodable, "empty"},
		"Storage: JSON that is not of its type [a field of another type]":                                          {storage(`{"bucket":[]}`), undecodable, "StorageObjectData"},
		"Storage: JSON that is not of its type [a number beyond its field]":                                        {storage(`{"size":"99999999999999999999"}`), undecodable, "StorageObjectData"},
		"Storage: JSON that is not of its type [a field twice]":                                                    {storage(`{"bucket":"a","bucket":"b"}`), undecodable, "StorageObjectData"},
		"Storage: JSON that is not of its type [an array]":                                                         {storage(`[]`), undecodable, "StorageObjectData"},
		"Storage: JSON that is not of its type [half a surrogate]":                                                 {storage(`{"bucket":"\ud800"}`), undecodable, "StorageObjectData"},
		"no body, or text [Storage, as text]":                                                                      {typed(eventtest.StorageType, "text/plain", `{}`), undecodable, "text/plain"},
		"unknown fields [Storage, unknown fields 9,000 deep]":                                                      {storage(`{"new":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`), accepted, ""},
		"unknown fields [audit log, unknown fields]":                                                               {audit(`{"protoPayload":{"@type":"type.googleapis.com/no.such","a":1}}`), accepted, ""},
		"no body, or text [audit log, no body]":                                                                    {audit(``), undecodable, "empty"},
		"audit log: no JSON with a `protoPayload` object [no `protoPayload`]":                                      {audit(`{}`), undecodable, "protoPayload"},
		"audit log: no JSON with a `protoPayload` object [`protoPayload` not an object]":                           {audit(`{"protoPayload":"x"}`), undecodable, "protoPayload"},
		"audit log: no JSON with a `protoPayload` object [protobuf]":                                               {typed(eventtest.AuditType, "application/protobuf", "\x0a\x00"), undecodable, "application/json"},
		"Firestore in JSON or protobuf, also undeclared or wrapped [protobuf]":                                     {firestore(document), accepted, ""},
		"unknown fields [Firestore, protobuf, unknown fields]":                                                     {firestore(document + "\xfa\x3f\x02hi" + "\xf8\x3f\x01"), accepted, ""},
		"[Firestore, protobuf, twice, one after the other]":                                                        {firestore(document + document), accepted, ""},
		"Firestore in JSON or protobuf, also undeclared or wrapped [JSON]":                                         {typed(eventtest.FirestoreType, "application/json", `{"value":{"name":"n"}}`), accepted, ""},
		"no body, or text [Firestore, no body]":                                                                    {firestore(``), undecodable, "empty"},
		"Firestore: malformed protobuf, or without a known field [unknown fields alone]":                           {firestore("\xfa\x3f\x02hi"), undecodable, "none of the fields"},
		"Firestore: malformed protobuf, or without a known field [text as protobuf]":                               {firestore("hello world, this is text"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [cut short]":                                      {firestore(document[:len(document)-1]), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [varint cut short]":                               {firestore("\x0a\x80"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [varint of 11 bytes]":                             {firestore("\x0a" + strings.Repeat("\x80", 10) + "\x01"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [length beyond the end]":                          {firestore("\x0a\xff\xff\xff\xff\x07x"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [field number 0]":                                 {firestore("\x02\x00"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [field of another wire type]":                     {firestore("\x08\x01"), undecodable, "none of the fields"},
		"Firestore: malformed protobuf, or without a known field [unknown wire type]":                              {firestore("\x0f\x01"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [group that is not closed]":                       {firestore("\x1b"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [end of a group that is not open]":                {firestore("\x1c"), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [100,000 nested groups]":                          {firestore(strings.Repeat("\x1b", 100_000) + strings.Repeat("\x1c", 100_000)), undecodable, "DocumentEventData"},
		"Firestore: malformed protobuf, or without a known field [string not UTF-8]":                               {firestore("\x0a\x03\x0a\x01\xff"), undecodable, "DocumentEventData"},
		"Firestore in protobuf, beyond a limit [protobuf, an array of more than 100,000 values]":                   {firestore(string(eventtest.ProtobufShapes["empty values"](decode.MaxValues))), tooLarge, "application/json"},
		"Firestore in protobuf, beyond a limit [protobuf, a text that becomes more than 14,000,000 bytes of JSON]": {firestore(string(eventtest.ProtobufShapes["a string of NULs"](2_400_000))), tooLarge, "14000000 bytes"},
		"[Firestore, JSON, an array of more than 100,000 values: taken as it is]":                                  {typed(eventtest.FirestoreType, "application/json", string(eventtest.JSONShapes["empty values"](decode.MaxValues))), accepted, ""},
		"Firestore: malformed protobuf, or without a known field [values 100,000 deep]":                            {firestore(string(eventtest.DeepDocument(100_000, 0))), undecodable, "DocumentEventData"},
		"no body, or text [Firestore, as text]":                                                                    {typed(eventtest.FirestoreType, "text/plain", document), undecodable, "text/plain"},
	}
}

// firestoreAttributes are those of a message with an event of Firestore.
const firestoreAttributes = `{"ce-specversion":"1.0","ce-id":"i","ce-source":"//firestore.googleapis.com/projects/p/databases/(default)",
	"ce-type":"google.cloud.firestore.document.v1.written","ce-subject":"documents/a/b","ce-document":"a/b","ce-dataschema":"https://example.com/data.proto","key":"k"%s}`

// untyped returns an event without a content type.
func untyped(eventType, body string) inputs {
	return one(func() *http.Request {
		r := eventtest.Binary(body, "Ce-Type", eventType)
		r.Header.Del("Content-Type")
		return r
	})
}
