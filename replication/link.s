// Functions that are declared in link.go have no body in this package.
