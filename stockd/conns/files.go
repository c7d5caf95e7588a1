package conns

import "fmt"

// filesKept are the open files that are not connections of the public listener: the internal one, Postgres, other nodes, gossip, logs.
const filesKept = 3000

// Within is how many connections there can be below the limit of open files (0: none is known), and a text for the log when that is fewer than wanted.
func Within(wanted int, files uint64) (n int, warning string) {
	if files == 0 || uint64(wanted)+filesKept <= files {
		return wanted, ""
	}
	kept := min(uint64(filesKept), files/2)
	return int(files - kept), fmt.Sprintf("this process may open %d files, so connections_max is %d instead of %d; raise LimitNOFILE (systemd) or ulimit -n to %d", files, files-kept, wanted, wanted+filesKept)
}
