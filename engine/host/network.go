package host

import (
	"fmt"
	"syscall"
)

// A NetworkError says that a directory is on a network file system: flock does not exclude other machines there, and
// what they change is not heard of.
type NetworkError struct {
	Dir    string
	System string // such as NFS
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("%s is on a network file system (%s)", e.Dir, e.System)
}

// networkFileSystems by statfs(2)'s magic numbers.
var networkFileSystems = map[int64]string{0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB2", 0x65735546: "FUSE", 0x01021997: "9P"}

// CheckLocal refuses a directory on a network file system with a [*NetworkError].
func CheckLocal(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	return refuseNetwork(dir, int64(st.Type))
}

func refuseNetwork(dir string, magic int64) error {
	if name, ok := networkFileSystems[magic&0xffffffff]; ok {
		return &NetworkError{Dir: dir, System: name}
	}
	return nil
}
