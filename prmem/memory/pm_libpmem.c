/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The persistence primitives by libpmem.  The only file that knows it.
 *
 * A writable mapping is libpmem's, which finds out whether it is persistent
 * memory (MAP_SYNC, or device-DAX) and by which instructions to flush.  A
 * read-only one is a plain mmap(): libpmem maps for writing only.
 */
#include "prmem/memory/pm_libpmem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/huge.h"

struct pm_libpmem {
	struct pm pm;
	void *base; /* as mapped; pm.len_bytes may be less, in whole pages */
	size_t mapped_bytes;
	bool by_libpmem;
	bool is_device;
	int fd; /* borrowed */
	uint64_t file_off; /* of the mapping in the file */
	atomic_bool huge; /* its blocks of 2 MiB may become huge pages */

	pthread_mutex_t sync_lock;
	bool sync_failed; /* for good; under sync_lock */
};

static struct pm_libpmem *
self(struct pm *pm)
{
	return CONTAINER_OF(pm, struct pm_libpmem, pm);
}

static void
op_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	(void)pm;
	(void)site;
	pmem_memcpy(dst, src, len_bytes, PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_NODRAIN);
}

static void
op_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)pm;
	(void)site;
	atomic_store_explicit(slot, le, memory_order_release);
}

static uint64_t
op_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	(void)pm;
	(void)site;
	return atomic_exchange_explicit(slot, le, memory_order_acq_rel);
}

static bool
op_cmpxchg(struct pm *pm, pm_slot *slot, uint64_t *expected_le, uint64_t le, enum pm_site site)
{
	(void)pm;
	(void)site;
	return atomic_compare_exchange_strong_explicit(slot, expected_le, le, memory_order_acq_rel,
						       memory_order_acquire);
}

static void
op_flush(struct pm *pm, const void *addr, size_t len_bytes, enum pm_site site)
{
	(void)site;
	if (pm->is_pmem)
		pmem_flush(addr, len_bytes);
}

static void
op_fence(struct pm *pm, enum pm_site site)
{
	(void)pm;
	(void)site;
	/*
	 * On page cache too: non-temporal copies become visible to others in
	 * any order, and must not be overtaken by the store that publishes
	 * them.  libpmem's drain is a store fence wherever its copies need one.
	 */
	pmem_drain();
}

static int
op_sync(struct pm *pm)
{
	struct pm_libpmem *m = self(pm);
	int r;

	if (pm->is_pmem)
		return 0;
	/*
	 * One at a time: the kernel tells one caller only that writing back
	 * failed, and another one that returns just then must know it too.
	 */
	LOCK_FOR_SCOPE(&m->sync_lock);
	if (m->sync_failed)
		return -EIO;
	do
		r = msync(m->base, m->mapped_bytes, MS_SYNC) < 0 ? -errno : 0;
	while (r == -EINTR);
	m->sync_failed = r < 0;
	return r;
}

/* Write zeroes over [off, end), which is a hole of a file whose file system knows no fallocate(). */
static int
fill_hole(int fd, off_t off, off_t end)
{
	static const char zeroes[64 << 10];

	while (off < end) {
		ssize_t n = pwrite(fd, zeroes, (size_t)MIN(end - off, (off_t)sizeof zeroes), off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		off += n;
	}
	return 0;
}

/*
 * The first hole at or after @off and where it ends; nothing of it lies
 * beyond @end.  Return: 1; 0 when there is none before @end; -errno.
 */
static int
find_hole(int fd, off_t off, off_t end, off_t *ret_off, off_t *ret_end)
{
	off_t hole = lseek(fd, off, SEEK_HOLE);
	off_t data;

	if (hole < 0)
		return -errno;
	if (hole >= end)
		return 0;
	data = lseek(fd, hole, SEEK_DATA);
	if (data < 0 && errno != ENXIO)
		return -errno;
	*ret_off = hole;
	*ret_end = data < 0 ? end : MIN(data, end);
	return 1;
}

/* fallocate() by hand.  Nobody stores to these pages meanwhile: they have not been handed out. */
static int
fill_holes(int fd, off_t off, off_t end)
{
	off_t hole, hole_end;
	int r;

	while ((r = find_hole(fd, off, end, &hole, &hole_end)) == 1) {
		r = fill_hole(fd, hole, hole_end);
		if (r < 0)
			return r;
		off = hole_end;
	}
	return r;
}

static int
op_ensure(struct pm *pm, uint64_t off, uint64_t len_bytes)
{
	struct pm_libpmem *m = self(pm);
	off_t start = (off_t)(m->file_off + off), end = (off_t)(m->file_off + off + len_bytes), hole, hole_end;
	int r;

	if (pm->read_only)
		return -EROFS;
	if (m->is_device || len_bytes == 0)
		return 0;
	do
		r = fallocate(m->fd, 0, start, end - start) < 0 ? -errno : 0;
	while (r == -EINTR);
	if (r == -EOPNOTSUPP || r == -ENOSYS)
		r = fill_holes(m->fd, start, end);
	if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG) {
		/* Some file systems want room for it where all of it is there already. */
		if (find_hole(m->fd, start, end, &hole, &hole_end) == 0)
			return 0;
		return -ENOSPC;
	}
	if (r == 0 && m->huge)
		m->huge = huge_make((char *)m->base + off, (char *)m->base + off + len_bytes);
	return r;
}

static void
op_close(struct pm *pm)
{
	struct pm_libpmem *m = self(pm);

	if (m->by_libpmem)
		pmem_unmap(m->base, m->mapped_bytes);
	else
		munmap(m->base, m->mapped_bytes);
	pthread_mutex_destroy(&m->sync_lock);
	free(m);
}

static int op_extend(struct pm *pm, uint64_t old_bytes, uint64_t new_bytes, struct pm **ret_more);

static int
op_cut(struct pm *pm, uint64_t len_bytes)
{
	return ftruncate(self(pm)->fd, (off_t)len_bytes) < 0 ? -errno : 0;
}

static const struct pm_ops libpmem_ops = {
	.copy = op_copy,
	.store = op_store,
	.exchange = op_exchange,
	.cmpxchg = op_cmpxchg,
	.flush = op_flush,
	.fence = op_fence,
	.sync = op_sync,
	.ensure = op_ensure,
	.close = op_close,
	.extend = op_extend,
	.cut = op_cut,
};

bool
pm_libpmem_is_forced(void)
{
	const char *e = getenv("PMEM_IS_PMEM_FORCE");

	return e != NULL && strcmp(e, "1") == 0;
}

/* Map a part of the file; on persistent memory so that it is what the rest is, or not at all. */
static int
map_part(struct pm_libpmem *m, size_t len_bytes)
{
	int flags = m->pm.is_pmem && !pm_libpmem_is_forced() ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;

	m->base = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, flags, m->fd, (off_t)m->file_off);
	if (m->base == MAP_FAILED)
		return -errno;
	m->mapped_bytes = len_bytes;
	return 0;
}

static int
op_extend(struct pm *pm, uint64_t old_bytes, uint64_t new_bytes, struct pm **ret_more)
{
	struct pm_libpmem *m = self(pm), *more;
	int r;

	if (m->is_device)
		return -EOPNOTSUPP;
	if (pm->read_only)
		return -EROFS;
	more = calloc(1, sizeof *more);
	if (more == NULL)
		return -ENOMEM;
	more->fd = m->fd;
	more->file_off = old_bytes;
	more->pm = *pm;
	r = ftruncate(m->fd, (off_t)new_bytes) < 0 ? -errno : 0;
	if (r == 0 && fsync(m->fd) < 0)
		r = -errno;
	if (r == 0)
		r = map_part(more, new_bytes - old_bytes);
	if (r < 0) {
		/* Too long a file opens as well, as long as the superblock has the aim. */
		(void)op_cut(pm, old_bytes);
		free(more);
		return r;
	}
	more->huge = huge_is_worth(more->fd, more->base, more->file_off);
	pthread_mutex_init(&more->sync_lock, NULL);
	more->pm.base = more->base;
	more->pm.len_bytes = new_bytes - old_bytes;
	*ret_more = &more->pm;
	return 0;
}

static int
map_writable(struct pm_libpmem *m, const char *path, size_t len_bytes, struct prmem_error *err)
{
	const char *no_flush = getenv("PMEM_NO_FLUSH");
	char name[FD_PATH_BYTES];
	int is_pmem = 0;

	/* libpmem read it when it was loaded: to clear it now would change nothing. */
	if (no_flush != NULL && strcmp(no_flush, "1") == 0)
		return error_set(
			err, -EINVAL,
			"pool %.200s: PMEM_NO_FLUSH=1 is set, which drops every flush: unset it and start again", path);
	/* What is locked, whatever the path names by now. */
	backing_fd_path(m->fd, name);
	/* Length 0 is all of it.  Never PMEM_FILE_CREATE: it truncates. */
	m->base = pmem_map_file(name, 0, 0, 0, &m->mapped_bytes, &is_pmem);
	if (m->base == NULL) {
		int r = errno != 0 ? -errno : -EIO;

		return error_set(err, r, "pool %.200s: cannot be mapped: %s (libpmem: %.150s)", path, strerror(-r),
				 pmem_errormsg());
	}
	m->by_libpmem = true;
	m->pm.is_pmem = is_pmem != 0;
	if (m->mapped_bytes != len_bytes) {
		pmem_unmap(m->base, m->mapped_bytes);
		return error_set(err, -EINVAL, "pool %.200s: its length changed from %zu to %zu while it was opened",
				 path, len_bytes, m->mapped_bytes);
	}
	return 0;
}

static int
map_read_only(struct pm_libpmem *m, const char *path, size_t len_bytes, struct prmem_error *err)
{
	/* MAP_SYNC is refused on all but persistent memory, which is how to know. */
	m->base = mmap(NULL, len_bytes, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, m->fd, 0);
	m->pm.is_pmem = m->base != MAP_FAILED || m->is_device || pm_libpmem_is_forced();
	if (m->base == MAP_FAILED)
		m->base = mmap(NULL, len_bytes, PROT_READ, MAP_SHARED, m->fd, 0);
	if (m->base == MAP_FAILED) {
		int r = -errno;

		return error_set(err, r, "pool %.200s: cannot be mapped: %s", path, strerror(-r));
	}
	m->mapped_bytes = len_bytes;
	return 0;
}

int
pm_libpmem_map(const char *path, int fd, uint64_t len_bytes, bool is_device, bool read_only, struct pm **ret_pm,
	       struct prmem_error *err)
{
	struct pm_libpmem *m = calloc(1, sizeof *m);
	int r;

	if (m == NULL)
		return error_set(err, -ENOMEM, "pool %.200s: out of memory", path);
	m->fd = fd;
	m->is_device = is_device;
	r = read_only ? map_read_only(m, path, len_bytes, err) : map_writable(m, path, len_bytes, err);
	if (r < 0) {
		free(m);
		return r;
	}
	m->huge = !is_device && !read_only && huge_is_worth(fd, m->base, 0);
	pthread_mutex_init(&m->sync_lock, NULL);
	m->pm.ops = &libpmem_ops;
	m->pm.base = m->base;
	m->pm.len_bytes = ROUND_DOWN(len_bytes, PRMEM_PAGE_SIZE);
	m->pm.read_only = read_only;
	*ret_pm = &m->pm;
	return 0;
}
