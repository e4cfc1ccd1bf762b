// Package call is the vocabulary in which a partition of a space is asked and answers: what is written, what is looked
// for, what comes back, and the errors. Everything between a program and the engine speaks it: the space in process,
// the client, the wire, the server and the partition.
//
// It decides nothing but what can be said of a question without knowing the answer: see Query.Check.
package call
