/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/memory/huge.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "common/compiler.h"

/* Since Linux 6.1; an older one answers EINVAL. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

bool
huge_is_worth(int fd, const void *base, uint64_t file_off)
{
	struct statfs fs;

	/* Of no file system on a disk: to read all of a block, or to write it back, is not asked for. */
	return ((uintptr_t)base - file_off) % HUGE_BYTES == 0 && fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

bool
huge_make(void *start, void *end)
{
	char *last = (char *)ROUND_DOWN((uintptr_t)end, HUGE_BYTES);

	for (char *at = (char *)ROUND_UP((uintptr_t)start, HUGE_BYTES); at < last; at += HUGE_BYTES) {
		/* EAGAIN, EBUSY, ENOMEM: not this block, not now. */
		if (madvise(at, HUGE_BYTES, MADV_COLLAPSE) < 0 && (errno == EINVAL || errno == ENOSYS))
			return false;
	}
	return true;
}
