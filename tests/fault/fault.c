/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls themselves.  Each asks whether it is to fail, and is else the bare
 * system call: nothing here needs dlsym(), which allocates.
 */
#include "tests/fault/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic uint64_t nr_calls, fail_at;
static atomic_bool armed;
static _Atomic(const char *) failed;
static enum fault_mode fail_mode;

#define CALLER __builtin_return_address(0)

void
fault_arm(uint64_t nth, enum fault_mode mode)
{
	atomic_store(&nr_calls, 0);
	atomic_store(&failed, NULL);
	atomic_store(&fail_at, nth);
	fail_mode = mode;
	atomic_store(&armed, true);
}

const char *
fault_disarm(void)
{
	atomic_store(&armed, false);
	return atomic_load(&failed);
}

uint64_t
fault_calls(void)
{
	return atomic_load(&nr_calls);
}

#ifndef FAULT_PRELOAD
bool
fault_here(const char *function, const void *caller)
{
	uint64_t n, nth;
	const char *was;

	(void)caller;
	if (!atomic_load(&armed))
		return false;
	n = atomic_fetch_add(&nr_calls, 1) + 1;
	nth = atomic_load(&fail_at);
	was = atomic_load(&failed);
	if (nth == 0 || n < nth)
		return false;
	if (was == NULL && n == nth) {
		atomic_store(&failed, function);
		return true;
	}
	return fail_mode == FAULT_ONWARD && was != NULL && strcmp(was, function) == 0;
}
#endif

#define FAIL_WITH(error, value)                                                                                        \
	do {                                                                                                           \
		if (fault_here(__func__, CALLER)) {                                                                    \
			errno = (error);                                                                               \
			return (value);                                                                                \
		}                                                                                                      \
	} while (0)

int
open(const char *path, int flags, ...)
{
	unsigned int mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE)
		mode = va_arg(ap, unsigned int);
	va_end(ap);
	FAIL_WITH(EMFILE, -1);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
stat(const char *restrict path, struct stat *restrict st)
{
	FAIL_WITH(EIO, -1);
	return (int)syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);
}

int
fstat(int fd, struct stat *st)
{
	FAIL_WITH(EIO, -1);
	return (int)syscall(SYS_fstat, fd, st);
}

int
flock(int fd, int operation)
{
	FAIL_WITH(ENOLCK, -1);
	return (int)syscall(SYS_flock, fd, operation);
}

int
fallocate(int fd, int mode, off_t off, off_t len)
{
	FAIL_WITH(ENOSPC, -1);
	return (int)syscall(SYS_fallocate, fd, mode, off, len);
}

int
ftruncate(int fd, off_t len)
{
	FAIL_WITH(EIO, -1);
	return (int)syscall(SYS_ftruncate, fd, len);
}

int
fsync(int fd)
{
	FAIL_WITH(EIO, -1);
	return (int)syscall(SYS_fsync, fd);
}

int
msync(void *addr, size_t len_bytes, int flags)
{
	FAIL_WITH(EIO, -1);
	return (int)syscall(SYS_msync, addr, len_bytes, flags);
}

void *
mmap(void *addr, size_t len_bytes, int prot, int flags, int fd, off_t off)
{
	/* Memory for the C library's own use is asked for in other ways, but for thread stacks. */
	FAIL_WITH(ENOMEM, MAP_FAILED);
	return (void *)syscall(SYS_mmap, addr, len_bytes, prot, flags, fd, off);
}

ssize_t
pread(int fd, void *buf, size_t len_bytes, off_t off)
{
	FAIL_WITH(EIO, -1);
	return syscall(SYS_pread64, fd, buf, len_bytes, off);
}

ssize_t
pwrite(int fd, const void *buf, size_t len_bytes, off_t off)
{
	FAIL_WITH(EIO, -1);
	return syscall(SYS_pwrite64, fd, buf, len_bytes, off);
}

off_t
lseek(int fd, off_t off, int whence)
{
	FAIL_WITH(EIO, -1);
	return syscall(SYS_lseek, fd, off, whence);
}

ssize_t
getrandom(void *buf, size_t len_bytes, unsigned int flags)
{
	FAIL_WITH(ENOSYS, -1);
	return syscall(SYS_getrandom, buf, len_bytes, flags);
}
