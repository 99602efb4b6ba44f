// Package archtest holds no code: its test keeps the import table of
// docs/design.md, so that a package learns of another only on purpose.
package archtest
