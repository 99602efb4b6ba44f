package profile

func directRows() []*Profile { return nil }
