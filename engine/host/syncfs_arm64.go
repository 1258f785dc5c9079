package host

import "syscall"

const sysSyncfs = syscall.SYS_SYNCFS
