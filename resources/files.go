package resources

import "strings"

// The names of managed files. Names of resources never begin with an underscore, so what routes share is never a route.
const (
	FilePrefix = "fpai-"
	FileSuffix = ".conf"

	// MapsFile holds what every generated server refers to. It is there while there is a route.
	MapsFile = "fpai-_maps.conf"
	// DefaultFile answers for unknown hosts where no other site of the host does.
	DefaultFile = "fpai-_default.conf"
)

// The kinds whose files are not named fpai-_KIND-NAME.conf: there were no others once.
const (
	RouteKind  = "route"
	SharedKind = "shared"
)

// FileName returns the name of the file that a resource has in sites-available: fpai-NAME.conf for a route,
// fpai-_NAME.conf for what routes share, and fpai-_KIND-NAME.conf for every other.
func FileName(address string) string {
	kind, name, _ := strings.Cut(address, ".")
	switch kind {
	case RouteKind:
		return FilePrefix + name + FileSuffix
	case SharedKind:
		return FilePrefix + "_" + name + FileSuffix
	default:
		return FilePrefix + "_" + kind + "-" + name + FileSuffix
	}
}

// AddressOf returns the address of the resource whose file would have that name. It is not ok if none would.
func AddressOf(fileName string) (address string, ok bool) {
	name, ok := strings.CutPrefix(fileName, FilePrefix)
	if !ok {
		return "", false
	}
	if name, ok = strings.CutSuffix(name, FileSuffix); !ok || name == "" {
		return "", false
	}
	rest, underscore := strings.CutPrefix(name, "_")
	if !underscore {
		return RouteKind + "." + name, true
	}
	if kind, name, hyphen := strings.Cut(rest, "-"); hyphen && IsKind(kind) && name != "" {
		return kind + "." + name, true
	}
	return SharedKind + "." + rest, rest != ""
}
