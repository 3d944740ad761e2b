package straight

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
)

// Memory is a [Store] in memory. Its zero value is empty.
type Memory struct {
	mu      sync.Mutex
	folders map[string]map[string][]byte // by the name up to its last slash
}

func split(name string) (folder, rest string) {
	at := strings.LastIndexByte(name, '/') + 1
	return name[:at], name[at:]
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, name string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, content)
	return nil
}

func (m *Memory) put(name string, content []byte) {
	folder, rest := split(name)
	if m.folders == nil {
		m.folders = make(map[string]map[string][]byte)
	}
	if m.folders[folder] == nil {
		m.folders[folder] = make(map[string][]byte)
	}
	m.folders[folder][rest] = bytes.Clone(content)
}

// Create implements [Store].
func (m *Memory) Create(_ context.Context, name string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	folder, rest := split(name)
	if _, exists := m.folders[folder][rest]; exists {
		return ErrExists
	}
	m.put(name, content)
	return nil
}

// List implements [Store]; the prefix ends in a slash.
func (m *Memory) List(_ context.Context, prefix string) (names []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.folders[prefix] {
		names = append(names, prefix+name)
	}
	return names, nil
}

// Read implements [Store].
func (m *Memory) Read(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	folder, rest := split(name)
	content, ok := m.folders[folder][rest]
	if !ok {
		return nil, fmt.Errorf("%s does not exist", name)
	}
	return bytes.Clone(content), nil
}
