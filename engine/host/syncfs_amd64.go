package host

// sysSyncfs is syncfs(2)'s number, which package syscall has for newer architectures only.
const sysSyncfs = 306
