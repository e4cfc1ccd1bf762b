// Package call is the vocabulary of calls to a partition: requests, results, and errors. All layers between a program
// and the engine use it: the space in process, the client, the wire, the server and the partition.
//
// It checks requests only as far as that is possible without the state of the partition; see Query.Check.
package call
