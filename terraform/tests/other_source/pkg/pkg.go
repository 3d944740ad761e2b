// Package other is a source that the module packs.
package other
