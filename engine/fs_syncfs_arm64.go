package engine

import "syscall"

const sysSyncfs = syscall.SYS_SYNCFS
