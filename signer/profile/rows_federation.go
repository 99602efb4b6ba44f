package profile

func federationRows() []*Profile { return nil }
