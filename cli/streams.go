package cli

import (
	"io"
	"os"
	"syscall"
	"unsafe"
)

// Streams are what a run reads and writes. Tests bring their own.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// InTerminal, OutTerminal and ErrTerminal say which of the streams a person sits at.
	InTerminal, OutTerminal, ErrTerminal bool
}

// System returns the process's own streams and environment.
func System() Streams {
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		InTerminal: isTerminal(os.Stdin), OutTerminal: isTerminal(os.Stdout), ErrTerminal: isTerminal(os.Stderr),
	}
}

// isTerminal asks for the terminal's attributes, as isatty(3) does: /dev/null is a character device, too.
func isTerminal(f *os.File) bool {
	var t syscall.Termios
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TCGETS, uintptr(unsafe.Pointer(&t)))
	return errno == 0
}

// colour reports whether a stream gets colour: terminals do, unless NO_COLOR is set (https://no-color.org).
func (s Streams) colour(terminal bool) bool {
	return terminal && s.Getenv("NO_COLOR") == "" && s.Getenv("TERM") != "dumb"
}
