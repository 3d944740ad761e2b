package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// world is what is there.
type world struct {
	file   string
	Calls  [][]string          // since the folder is there
	Things map[string]resource // by kind, location and name
	Roles  map[string][]string // by the thing that they are on, each as ROLE MEMBER
}

func load(dir string) (*world, error) {
	w := &world{file: filepath.Join(dir, "world.json"), Things: make(map[string]resource), Roles: make(map[string][]string)}
	text, err := os.ReadFile(w.file)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return nil, err
	}
	return w, json.Unmarshal(text, w)
}

func (w *world) save() error {
	text, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(w.file, text, 0o644)
}

func (w *world) record(args []string) { w.Calls = append(w.Calls, args) }

func (w *world) create(k kind, id, name string, flags map[string]string) error {
	for _, needed := range k.needs(flags) {
		if _, ok := w.Things[needed]; !ok {
			return says("NOT_FOUND: Resource not found (resource=%s).", needed)
		}
	}
	is := resource{"name": k.fullName(name, flags)}
	k.change(is, flags)
	w.Things[id] = is
	if k.words == "functions" { // which is a service
		url := "https://" + name + "-abc-ew.a.run.app"
		w.Things["service/"+flags["region"]+"/"+name] = resource{"metadata": resource{"name": name}, "status": resource{"url": url}}
	}
	return nil
}

// delete removes a thing with the roles on it. The roles of an account stay where they are.
func (w *world) delete(k kind, id, name string) {
	delete(w.Things, id)
	delete(w.Roles, id)
	switch k.words {
	case "functions":
		service := "service" + strings.TrimPrefix(id, "function")
		delete(w.Things, service)
		delete(w.Roles, service)
	case "iam service-accounts":
		for on, roles := range w.Roles {
			for i, role := range roles {
				w.Roles[on][i] = strings.Replace(role, " serviceAccount:"+name, " deleted:serviceAccount:"+name, 1)
			}
		}
	}
}

func (w *world) list(k kind, flags map[string]string) string {
	var all strings.Builder
	for _, id := range slices.Sorted(maps.Keys(w.Things)) {
		location := cmp.Or(flags["location"], flags["region"])
		if strings.HasPrefix(id, k.name+"/"+location) {
			all.WriteString(w.Things[id].print(flags["format"]))
		}
	}
	return all.String()
}

func role(flags map[string]string) string { return flags["role"] + " " + flags["member"] }

func (w *world) grant(id string, flags map[string]string) error {
	email := strings.TrimPrefix(flags["member"], "serviceAccount:")
	if _, ok := w.Things["account/"+email]; !ok && !strings.Contains(email, "@gcp-sa-") {
		return says("INVALID_ARGUMENT: Service account %s does not exist.", email)
	}
	if !slices.Contains(w.Roles[id], role(flags)) {
		w.Roles[id] = append(w.Roles[id], role(flags))
	}
	return nil
}

func (w *world) revoke(id string, flags map[string]string) error {
	i := slices.Index(w.Roles[id], role(flags))
	if i < 0 {
		return says("Policy bindings with the specified principal and role not found!")
	}
	w.Roles[id] = slices.Delete(w.Roles[id], i, i+1)
	return nil
}
