package host

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestNetworkFileSystemsAreTold(t *testing.T) {
	is := is.New(t)
	for magic, name := range map[int64]string{0x6969: "NFS", -0xacb2be: "CIFS", 0xff534d42: "CIFS", 0x65735546: "FUSE"} {
		err := refuseNetwork("/state", magic)
		is.True(err != nil)
		is.True(strings.Contains(err.Error(), name))
	}
	for _, magic := range []int64{0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630} { // ext4, XFS, btrfs, tmpfs, overlay
		is.NoErr(refuseNetwork("/state", magic))
	}
	is.NoErr(CheckLocal(t.TempDir()))
}
