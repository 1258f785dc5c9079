package resources

// The names of managed files: fpai-NAME.conf for a route, and the two that routes share. Droplet names never begin with
// an underscore, so a shared file's name is never a route's.
const (
	FilePrefix = "fpai-"
	FileSuffix = ".conf"

	// MapsFile holds what every generated server refers to. It is there while there is a route.
	MapsFile = "fpai-_maps.conf"
	// DefaultFile answers for unknown hosts where no other site of the host does.
	DefaultFile = "fpai-_default.conf"
)
