package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ErrRestart means that a changed setting requires a restart.
var ErrRestart = errors.New("requires a restart")

// reloadable are the sections that a reload replaces. Every other section, also
// a new one, requires a restart.
var reloadable = map[string]bool{"keys": true, "clients": true}

// RestartOnly refuses a reload from was to is that changes what only a restart
// can change, so that a reload is all or nothing. Its errors wrap [ErrRestart]
// and say where the changed sections are.
func RestartOnly(was, is *Config) error {
	old, next := reflect.ValueOf(*was), reflect.ValueOf(*is)
	var problems []error
	for i := range old.NumField() {
		field := old.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.IsExported() || reloadable[name] {
			continue
		}
		if !reflect.DeepEqual(old.Field(i).Interface(), next.Field(i).Interface()) {
			problems = append(problems, fmt.Errorf("%s: %q %w", is.At(name), name, ErrRestart))
		}
	}
	return errors.Join(problems...)
}
