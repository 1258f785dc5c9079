// Package journal does the steps of one plan so that they can be taken back, by the process that did them or, after a
// crash, by the next.
//
// A journal is the undo log of one apply: a file of records, each a line of JSON after its CRC-32C. Its first record holds
// all that is needed to undo the apply and is durable before anything visible changes. An apply is done when its commit
// record is durable, and only then. The file of a finished apply moves to the history as it is.
//
// A [Store] is where the journals of one host are. Its [Transaction] has phases: Start makes the journal, the directories
// that are missing, and the new files beside their places, all of it durable; Change and Do do the steps; Commit makes them
// final, or Undo takes them back, going by what is on the disk; Finish, or Undone, puts the journal away. [Store.Open] makes
// transactions of the journals that a dead process left.
//
// Nothing here knows nginx, plans' requests or error codes.
package journal
