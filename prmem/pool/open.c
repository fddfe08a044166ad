/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prmem_open(), from a path on.
 *
 *	1. look at the path: a regular file, a device-DAX node, or nothing yet;
 *	   or at what a descriptor is open on
 *	2. open it, or create a file (of no length: nothing can be in it)
 *	3. lock it, before it is mapped; check the owner record, and that the path,
 *	   if it was opened by that, still names it
 *	4. learn its size, or give a new file its: sparse, space is taken in
 *	   steps ahead of use
 *	5. map it
 *	6. open_memory.c: superblocks, walk, format or repair, owner record
 *	7. make a new file's name durable; take back a growth that was cut off
 *
 * A failure up to 6 has written nothing, but that a new file came to be and
 * got its length, which is taken back (promise P4).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "prmem/alloc/sb_publish.h"
#include "prmem/core/notice.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/owner.h"
#include "prmem/memory/pm_libpmem.h"
#include "prmem/memory/sized.h"
#include "prmem/pool/open_memory.h"

#define OPEN_FLAGS (PRMEM_OPEN_FD | PRMEM_NO_SIGBUS)

/*
 * Step 7.  A growth lengthens the file first and says so in the superblock
 * last; until then the pool uses the old length.  Rule: a writable open of a
 * pool whose growth was cut off cuts the file to its old length, and then
 * forgets the aim.  A crash between leaves the aim and the old length, which
 * opens.  A device has the length it has.
 */
static void
take_back_growth(struct prmem_pool *pool, const struct backing *b)
{
	uint64_t len_bytes = le64_to_cpu(pool->sb.nr_pages) << PRMEM_PAGE_SHIFT;

	if (pool->sb.grow_to_pages.le == 0 || b->is_device || pool_is_read_only(pool))
		return;
	if (ftruncate(b->fd, (off_t)len_bytes) < 0) {
		pool_notice(pool, "pool %.200s: a growth that was cut off could not be taken back: %s", pool->path,
			    strerror(errno));
		return;
	}
	LOCK_FOR_SCOPE(&pool->sb_lock);
	pool->pm->len_bytes = len_bytes;
	pool->sb.grow_to_pages = cpu_to_le64(0);
	pool_write_sb(pool, &pool->sb);
	pool_notice(pool, "pool %.200s: a growth that was cut off was taken back", pool->path);
}

/* Steps 4 to 6, under the lock. */
static int
open_locked(const struct prmem_open_args *args, struct backing *b, struct owner_lock *lock,
	    struct prmem_pool **ret_pool, struct prmem_error *err)
{
	struct pm *pm;
	int r;

	r = backing_size(b, args, err);
	if (r < 0)
		return r;
	r = pm_libpmem_map(args->path, b->fd, b->size_bytes, b->is_device, args->read_only, &pm, err);
	if (r < 0)
		return r;
	r = pool_open_locked(pm, lock, b, args, ret_pool, err);
	if (r < 0)
		pm->ops->close(pm);
	return r;
}

static int
open_known(const struct prmem_open_args *args, struct prmem_pool **ret_pool, struct prmem_error *err)
{
	struct prmem_pool *pool;
	struct owner_lock *lock;
	struct backing b;
	int r;

	r = backing_open(args, &b, err);
	if (r < 0)
		return r;
	r = owner_lock_take(b.fd, b.is_device, args->read_only, args->path, &lock, err);
	if (r < 0) {
		backing_undo(&b, args->path, false);
		close(b.fd);
		return r;
	}
	r = backing_check_name(&b, args->path, err);
	if (r == 0)
		r = open_locked(args, &b, lock, &pool, err);
	if (r < 0) {
		backing_undo(&b, args->path, true);
		owner_lock_release(lock);
		return r;
	}

	r = backing_sync_name(&b, args->path);
	if (r < 0)
		pool_notice(pool, "pool %.200s: its name may not survive a crash of the system: %s", args->path,
			    strerror(-r));
	take_back_growth(pool, &b);
	if (!pool->pm->read_only && pool->pm->is_pmem && !b.is_device && pm_libpmem_is_forced())
		pool_notice(pool,
			    "pool %.200s: PMEM_IS_PMEM_FORCE=1 makes this file claim to be persistent memory: right "
			    "for tests "
			    "on tmpfs, on a disk it loses data when the system crashes",
			    args->path);
	*ret_pool = pool;
	return 0;
}

int
prmem_open(const struct prmem_open_args *args, size_t args_bytes, struct prmem_pool **ret_pool, struct prmem_error *err)
{
	struct prmem_open_args known;
	char name[32];
	int r = SIZED_TAKE(&known, fd, args, args_bytes, err);

	if (r < 0)
		return r;
	if ((known.flags & ~OPEN_FLAGS) != 0)
		return error_set(err, -EINVAL, "pool %.200s: it cannot be opened with flags 0x%x: not all are known",
				 known.path != NULL ? known.path : "", known.flags);
	if ((known.flags & PRMEM_OPEN_FD) != 0 && known.path == NULL) {
		snprintf(name, sizeof name, "descriptor %d", known.fd);
		known.path = name;
	}
	return open_known(&known, ret_pool, err);
}
