package docs

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"example.com/eventdriver/stores/bqstore"
)

// table is what of a table is sent to BigQuery, as its JSON has it.
type table struct {
	TableReference   struct{ TableID string }
	Schema           struct{ Fields []field }
	Clustering       struct{ Fields []string }
	TimePartitioning struct{ Field, Type, ExpirationMs string }
	View             struct{ Query string }
}

type field struct{ Name, Type, Mode, Description string }

// created returns the tables that the store creates where there are none, by what
// it asks of BigQuery.
func created(t *testing.T) map[string]table {
	t.Helper()
	var mu sync.Mutex
	tables := make(map[string]table)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/tables"):
			var asked table
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			tables[asked.TableReference.TableID] = asked
			_, _ = w.Write([]byte("{}"))
		case strings.Contains(r.URL.Path, "/tables/"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error": {"code": 404, "message": "not found"}}`))
		default: // the dataset
			_, _ = w.Write([]byte(`{"location": "EU", "datasetReference": {"projectId": "my-project-123", "datasetId": "orders"}}`))
		}
	}))
	defer server.Close()
	t.Setenv("BIGQUERY_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	store, err := bqstore.New(t.Context(), bqstore.Config("my-project-123", "orders").WithLocation("EU").WithRetention(7*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.EnsureTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return tables
}

// TestTablesOfTerraformAreThoseOfTheStore compares the tables that Terraform makes,
// for which it reads the store's files, with those that the store itself asks for.
func TestTablesOfTerraformAreThoseOfTheStore(t *testing.T) {
	m := terraform(t, false)
	each, ok := m.local("tables").(*hclsyntax.ForExpr)
	if !ok {
		t.Fatal("local.tables is no for expression any more")
	}
	layouts := m.value(each.CollExpr).AsValueMap()
	tables := created(t)
	if len(layouts) != 3 || len(tables) != len(layouts)+1 {
		t.Fatalf("Terraform makes %d tables and a view, the store %d", len(layouts), len(tables))
	}
	for name, layout := range layouts {
		var fields []field
		if err := json.Unmarshal([]byte(read(t, "stores/bqstore/schema/"+name+".json")), &fields); err != nil {
			t.Fatal(err)
		}
		var clustering []string
		for _, column := range layout.GetAttr("clustering").AsValueSlice() {
			clustering = append(clustering, column.AsString())
		}
		partition := layout.GetAttr("partition").AsString()
		want := tables[name]
		for i := range want.Schema.Fields {
			if want.Schema.Fields[i].Mode == "" {
				want.Schema.Fields[i].Mode = "NULLABLE" // what BigQuery takes it for
			}
		}
		if len(fields) == 0 || !reflect.DeepEqual(fields, want.Schema.Fields) {
			t.Errorf("schema/%s.json has\n%q\nbut the store asks for\n%q", name, fields, want.Schema.Fields)
		}
		if !reflect.DeepEqual(clustering, want.Clustering.Fields) || partition != want.TimePartitioning.Field || want.TimePartitioning.Type != "DAY" {
			t.Errorf("terraform/stores.tf partitions %s by %s and clusters it by %q, but the store asks for %+v and %+v",
				name, partition, clustering, want.TimePartitioning, want.Clustering)
		}
		// 7 days, and one more, as terraform/tests expect of Terraform.
		if want.TimePartitioning.ExpirationMs != "691200000" {
			t.Errorf("the store keeps partitions of %s for %s ms", name, want.TimePartitioning.ExpirationMs)
		}
	}
	query := strings.NewReplacer("${events}", "`my-project-123.orders.events`", "${claims}", "`my-project-123.orders.claims`").Replace(read(t, "stores/bqstore/schema/keys.sql"))
	if query != tables["keys"].View.Query {
		t.Errorf("schema/keys.sql is\n%s\nbut the store's view\n%s", query, tables["keys"].View.Query)
	}
}
