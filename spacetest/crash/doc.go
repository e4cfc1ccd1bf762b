// Package crash is the crash campaign: a real server, a real PostgreSQL and client processes that write, take, change
// and work, while all of them are killed with SIGKILL, stopped and continued, cut off, and run out of disk, in random
// order. From time to time everything comes to rest and is judged.
//
// Clients record every call in journals before they make it, and its outcome afterwards: a killed client leaves calls
// with unknown outcomes, but no unrecorded call. At rest the server is killed once more, which ends the transactions of
// killed clients. Then these must hold:
//
//   - The history explains the content of the spaces: nothing acknowledged is lost, nothing is taken twice or comes
//     back, nothing exists that was not written; transactions over both spaces happen as a whole or not at all; the
//     oldest entry comes first. Calls with unknown outcomes may or may not have taken effect. Package history judges
//     its kind of calls, lane by lane; the many jobs are judged by a simple count.
//   - Every job is done once, or waits: work.Run loses none and does none twice.
//   - A listener gets an event for every job, once and in order.
//   - The tables of the mirror equal the spaces row by row; the archive has each job once, with the reason of its
//     departure. There are no dead letters.
//   - `gospaces backup` and `gospaces verify` agree with the spaces, and so does `gospaces verify --data` while the
//     server is stopped. Each snapshot, with the log after it, gives a state with the same hash.
//   - After the next start every entry is as before.
//
// Judged calls are forgotten, and the entries left in the spaces are the start of the next round, so memory does not
// grow with time.
//
// A campaign on a cluster is the same with several nodes instead of the server. Nodes are killed, stopped and
// continued, stopped and started, lose their disks, and are cut off from each other, in one direction or in both; all
// of this may come together. Further clients read from one node each, and from no other. The rest is judged as above,
// but for backups and folders. Moreover:
//
//   - All nodes see the whole cluster up after a while, and each space is served.
//   - Once killed clients have lost their transactions, nothing is open or locked.
//   - All replicas have the same state at the same position of the log.
//
// make crash and make crash-cluster run a campaign for half an hour, or for TIME; TestCrash and TestCrashCluster run it
// briefly. It needs Linux. Only root can mount the small disks that are filled up, and make the networks that are cut;
// for other users these disturbances are left out.
package crash
