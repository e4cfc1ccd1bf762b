// Package crash is the crash campaign: a real server, a real PostgreSQL and client processes that write, take, change and work, while everything is
// killed with SIGKILL, stopped and continued, cut off, and run out of disk, in random order. From time to time all comes to rest, and is judged.
//
// Clients note every call in journals of their own before they make it, and its outcome after: a client that is killed leaves calls whose outcome is
// unknown, never one that nobody knows of. At rest, when the server has been killed once more, which ends the transactions of killed clients, these must hold:
//
//   - What the spaces hold is explained by the history: nothing acknowledged is lost, nothing is taken twice or comes back, nothing is there that nobody
//     wrote; transactions over both spaces happen as a whole or not at all; the oldest comes first. Calls of unknown outcome may have happened or not.
//     The calls of package history's kind are judged by it, lane by lane; the jobs, of which there are many, by a simple count of our own.
//   - Every job is done once, or waits: work.Run lost none and did none twice.
//   - A listener was told of every job, once and in order.
//   - The tables of the mirror equal the spaces row for row; the archive has each job once, with the way it left. There are no dead letters.
//   - `gospaces backup` and `gospaces verify` agree with the spaces; so does `gospaces verify --data` when the server is stopped. The state made from each snapshot and the
//     log after it has the same hash.
//   - After the next start every entry is as it was before.
//
// What was judged is forgotten, and what is left in the spaces is where the next round begins: memory does not grow with time.
//
// make crash runs it for half an hour, or for TIME; TestCrash does so briefly. It needs Linux. Only root can mount the small disks that are filled up: others do without.
package crash
