// Package impl holds what the implementations of space.Space in this module have in common: the check of a query, the
// transactions that are open, and what the caller of one call does with several.
package impl
