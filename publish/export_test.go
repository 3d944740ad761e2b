package publish

// Limit makes l take so many bytes of data for what Pub/Sub takes; pstest can't be
// sent more than 4 MB.
func (l *Letters) Limit(bytes int) *Letters {
	other := *l
	other.limit = bytes
	return &other
}
