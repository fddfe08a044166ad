/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests.  All of them run in parallel, on any connection.
 *
 * On return, writes, zeroes and trims are as durable as the pool can make them
 * without the operating system; prmem_sync() calls on that, and does nothing on
 * persistent memory.  So FUA is the operation and then a sync.
 */
#include "plugin/io.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "plugin/exports.h"
#include "plugin/start.h"

/*
 * nbdkit keeps all extents of an answer in memory; a request of 28 bytes gets
 * 2^16 of them at most.  The client asks again for the rest.
 */
#define EXTENTS_MAX 65536

int prmem_debug_io;

static const char what_read[] = "read";

/* The errors that the protocol has; nbdkit would send any other one as EINVAL. */
static int
wire_errno(int err)
{
	switch (err) {
	case EPERM:
	case EROFS:
		return EPERM;
	case EIO:
	case ENOMEM:
	case EINVAL:
	case ENOSPC:
	case ESHUTDOWN:
		return err;
	default:
		return EIO;
	}
}

/*
 * advice() - why, and what to do.
 * @info: for the pool's own reason, when it went read-only by itself
 */
static const char *
advice(int err, bool reading, struct prmem_pool_info *info)
{
	if (!reading && (err == EIO || err == EPERM)) {
		prmem_pool_info(the_pool, info, sizeof *info);
		if (info->read_only_why[0])
			return info->read_only_why;
	}
	switch (err) {
	case EPERM:
		return "it is read-only";
	case EIO:
		return "data is damaged there; writing it again heals it";
	case ENOSPC:
		return "the pool is full; trim, or remove a disk, or use a larger pool";
	case ESHUTDOWN:
		return "the disk has been removed; disconnect";
	default:
		return strerror(err);
	}
}

/*
 * may_log() - may a failure of this kind be logged now?
 * A client that reads a damaged disk from end to end must not fill the log: one
 * line a second for each errno, which counts those that were left out.
 */
static bool
may_log(int err, unsigned int *ret_left_out)
{
	static struct {
		_Atomic int64_t last_s; /* 0: never */
		atomic_uint left_out;
	} kinds[ESHUTDOWN + 1];
	unsigned int kind = err >= 0 && err <= ESHUTDOWN ? (unsigned int)err : 0;
	struct timespec now;
	int64_t last_s, now_s;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_s = (int64_t)now.tv_sec + 1;
	last_s = atomic_load(&kinds[kind].last_s);
	if (last_s == now_s || !atomic_compare_exchange_strong(&kinds[kind].last_s, &last_s, now_s)) {
		atomic_fetch_add(&kinds[kind].left_out, 1);
		return false;
	}
	*ret_left_out = atomic_exchange(&kinds[kind].left_out, 0);
	return true;
}

/*
 * done() - from the library's return value to nbdkit's.
 * @r: 0 or a negative errno
 */
static int
done(const struct handle *h, const char *what, uint32_t count, uint64_t offset, int r)
{
	struct prmem_pool_info info;
	unsigned int left_out = 0;
	int err;

	if (prmem_debug_io)
		nbdkit_debug("prmem: %s %s %" PRIu32 " at %" PRIu64 ": %d", h->name, what, count, offset, r);
	if (r == 0)
		return 0;
	err = wire_errno(-r);
	if (may_log(err, &left_out)) {
		const char *why = advice(err, what == what_read, &info);

		if (left_out > 0)
			nbdkit_error("%s: %s of %" PRIu32 " bytes at %" PRIu64 " failed: %s (and %u more)", h->name,
				     what, count, offset, why, left_out);
		else
			nbdkit_error("%s: %s of %" PRIu32 " bytes at %" PRIu64 " failed: %s", h->name, what, count,
				     offset, why);
	}
	nbdkit_set_error(err);
	errno = err;
	return -1;
}

static int
sync_if_fua(int r, uint32_t flags)
{
	return r == 0 && (flags & NBDKIT_FLAG_FUA) ? prmem_sync(the_pool) : r;
}

int
io_pread(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	struct handle *h = handle;

	(void)flags;
	return done(h, what_read, count, offset, prmem_disk_read(h->disk, buf, count, offset));
}

int
io_pwrite(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
	struct handle *h = handle;

	return done(h, "write", count, offset, sync_if_fua(prmem_disk_write(h->disk, buf, count, offset), flags));
}

int
io_flush(void *handle, uint32_t flags)
{
	struct handle *h = handle;

	(void)flags;
	return done(h, "flush", 0, 0, prmem_sync(the_pool));
}

int
io_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	struct handle *h = handle;

	return done(h, "trim", count, offset, sync_if_fua(prmem_disk_zero(h->disk, count, offset), flags));
}

/*
 * io_zero() - always fast: whole pages become holes, and only the first and the
 * last page can be partly zeroed.  NBDKIT_FLAG_MAY_TRIM makes no difference: a
 * page of zeroes is a hole in this format, however it was written.
 */
int
io_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	struct handle *h = handle;

	return done(h, "zero", count, offset, sync_if_fua(prmem_disk_zero(h->disk, count, offset), flags));
}

struct extents_out {
	struct nbdkit_extents *extents;
	uint64_t start, end; /* of the request */
	unsigned int nr;
};

/* ENOUGH - ends the walk without being an error. */
#define ENOUGH 1

static int
add_extent(void *opaque, uint64_t off, uint64_t len_bytes, bool hole)
{
	struct extents_out *out = opaque;
	uint64_t end = off + len_bytes;

	/*
	 * nbdkit 1.32 aborts on an extent that makes the answer longer than
	 * 2^32 - 1 bytes (CVE-2025-47711).  The library clips too; this does
	 * not rely on it.
	 */
	if (off < out->start)
		off = out->start;
	if (end > out->end)
		end = out->end;
	if (off >= end)
		return 0;
	if (nbdkit_add_extent(out->extents, off, end - off, hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0) < 0)
		return errno > 0 ? -errno : -EIO;
	return ++out->nr >= EXTENTS_MAX ? ENOUGH : 0;
}

int
io_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags, struct nbdkit_extents *extents)
{
	struct handle *h = handle;
	struct extents_out out = {.extents = extents, .start = offset, .end = offset + count};
	int r = prmem_disk_extents(h->disk, count, offset, (flags & NBDKIT_FLAG_REQ_ONE) != 0, add_extent, &out);

	return done(h, "block status", count, offset, r == ENOUGH ? 0 : r);
}

int
io_cache(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	struct handle *h = handle;

	if (flags != 0) /* a future flag may ask for something that is not done here */
		return done(h, "cache", count, offset, -EINVAL);
	return done(h, "cache", count, offset, prmem_disk_cache(h->disk, count, offset));
}
