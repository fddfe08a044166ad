/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking at a pool from outside, without its lock: which pool is it, and which
 * process has it?  For programs that want to talk to the holder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/lock_holder.h"
#include "prmem/memory/sized.h"
#include "prmem/memory/superblock.h"
#include "prmem/memory/superblock_create.h"
#include "prmem/memory/uuid.h"

/* A holder that changes the superblock just now makes one look see odd things, not several. */
#define NR_LOOKS 5

/* The first pages of a device-DAX node, which can only be mapped. */
static int
copy_device(int fd, char *buf)
{
	uint64_t len_bytes = MAX(backing_device_align(fd), SB_FORMAT_BYTES);
	void *p = mmap(NULL, len_bytes, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(buf, p, SB_FORMAT_BYTES);
	munmap(p, len_bytes);
	return 0;
}

static int
copy_file(int fd, char *buf)
{
	uint64_t off = 0;

	while (off < SB_FORMAT_BYTES) {
		ssize_t n = pread(fd, buf + off, SB_FORMAT_BYTES - off, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break; /* the rest stays zeroes: too short for a pool */
		off += (uint64_t)n;
	}
	return 0;
}

/* Return: a negative errno, which is 0 for a pool; the message is in @what, without the name. */
static int
look(int fd, bool is_device, char *buf, struct sb_media *ret_sb, struct prmem_error *what)
{
	const struct pm pm = {.base = buf, .len_bytes = SB_FORMAT_BYTES};
	bool ro;
	int r;

	memset(buf, 0, SB_FORMAT_BYTES);
	r = is_device ? copy_device(fd, buf) : copy_file(fd, buf);
	if (r < 0)
		return error_set(what, r, "cannot be read: %s", strerror(-r));
	switch (sb_read(&pm, ret_sb, &ro, what)) {
	case SB_GOOD:
	case SB_REPAIR:
		return 0;
	default:
		return what->code < 0 ? what->code : -EIO;
	}
}

int
prmem_probe(const char *path, struct prmem_probe_info *ret_info, size_t info_bytes, struct prmem_error *err)
{
	struct prmem_open_args args = {.path = path, .format = PRMEM_FORMAT_NEVER, .read_only = true};
	struct prmem_probe_info info = {0};
	struct prmem_error what = {0};
	CLEANUP_FREE char *buf = NULL;
	struct backing b;
	struct sb_media sb;
	int r = backing_open(&args, &b, err);
	CLEANUP_CLOSE int fd = r < 0 ? -1 : b.fd;

	if (r < 0)
		return r;
	buf = aligned_alloc(PRMEM_PAGE_SIZE, SB_FORMAT_BYTES);
	if (buf == NULL)
		return error_set(err, -ENOMEM, "pool %.200s: out of memory", path);
	for (int i = 0; i < NR_LOOKS; i++) {
		r = look(fd, b.is_device, buf, &sb, &what);
		if (r == 0)
			break;
	}
	if (r < 0)
		return error_set(err, r, "pool %.200s: %.200s", path, what.message);
	uuid_format(sb.uuid, info.uuid);
	memcpy(info.label, sb.label, sizeof info.label - 1);
	info.size_bytes = le64_to_cpu(sb.nr_pages) << PRMEM_PAGE_SHIFT;
	sized_fill(ret_info, info_bytes, &info, sizeof info);
	return 0;
}

int
prmem_find_holder(const char *path, int32_t *ret_pid, struct prmem_error *err)
{
	struct prmem_open_args args = {.path = path, .format = PRMEM_FORMAT_NEVER, .read_only = true};
	struct backing b;
	int r = backing_open(&args, &b, err);
	CLEANUP_CLOSE int fd = r < 0 ? -1 : b.fd;

	if (r < 0)
		return r;
	/* Not by trying to lock it: a server that starts just now would be refused. */
	*ret_pid = (int32_t)holder_of_flock(fd);
	return 0;
}
