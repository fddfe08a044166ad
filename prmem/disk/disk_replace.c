/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disks that appear as a whole, and take the place of another one as they do.
 *
 * Flow:
 *	1. publish a record with RECORD_FLAG_UNFINISHED: it has the name that
 *	   it is to have, but nobody finds it by that
 *	2. fill it
 *	3. publish its record without that flag, with its size, and with
 *	   RECORD_FLAG_REPLACES and the UUID of the disk that it replaces: by
 *	   this one store the name is its own, and the other one is removed
 *	4. remove the other one like any other
 *	5. publish its record without RECORD_FLAG_REPLACES
 * A crash before 3 leaves the old disk, and one that the next writable open
 * removes.  Behind 3 it leaves the new disk; the next writable open goes on
 * with 4 and 5, and one that only reads does not see the old disk.
 */
#include "prmem/disk/disk_replace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/low_space.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/core/notice.h"
#include "prmem/disk/disk_create.h"
#include "prmem/disk/disk_resize.h"
#include "prmem/disk/disk_types.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/instance/reserve.h"
#include "prmem/instance/stats.h"
#include "prmem/memory/error.h"
#include "prmem/memory/sized.h"

static struct prmem_instance *
find_hidden_locked(struct directory *dir, const char *name)
{
	for (struct prmem_instance *inst = dir->first; inst != NULL; inst = inst->next) {
		if (!atomic_load(&inst->removed) && instance_is_hidden(inst) && strcmp(inst->rec.name, name) == 0)
			return inst;
	}
	return NULL;
}

int
prmem_disk_begin(struct prmem_pool *pool, const struct prmem_disk_args *args, size_t args_bytes,
		 struct prmem_disk **ret_disk, struct prmem_error *err)
{
	CLEANUP_FREE struct prmem_disk *disk = calloc(1, sizeof *disk);
	struct prmem_disk_args known;
	int r = SIZED_TAKE(&known, description, args, args_bytes, err);

	if (r < 0)
		return r;
	if (disk == NULL)
		return error_set(err, -ENOMEM, "disk %s: out of memory", known.name);
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	if (find_hidden_locked(pool->dir, known.name) != NULL)
		return error_set(err, -EBUSY, "disk %s: is being made already, by somebody else", known.name);
	r = disk_create_locked(pool, &known, RECORD_FLAG_UNFINISHED, &disk->inst, err);
	if (r < 0)
		return r;
	disk->inst->nr_handles++;
	stats_attach(disk->inst);
	disk->size_bytes = known.size_bytes;
	*ret_disk = disk;
	disk = NULL;
	return 0;
}

int
instance_finish_replacing(struct prmem_instance *inst)
{
	struct record_media rec;

	LOCK_FOR_SCOPE(&inst->pool->dir->rec_lock);
	rec = inst->rec;
	rec.flags = cpu_to_le32(le32_to_cpu(rec.flags) & ~RECORD_FLAG_REPLACES);
	memset(rec.replaces, 0, sizeof rec.replaces);
	return instance_publish(inst, &rec);
}

/* Step 3. */
static int
publish_finished(struct prmem_instance *inst, const struct prmem_instance *old, uint64_t size_bytes)
{
	struct record_media rec;
	uint32_t flags;

	LOCK_FOR_SCOPE(&inst->pool->dir->rec_lock);
	rec = inst->rec;
	flags = le32_to_cpu(rec.flags) & ~RECORD_FLAG_UNFINISHED;
	if (old != NULL) {
		flags |= RECORD_FLAG_REPLACES | (le32_to_cpu(old->rec.flags) & RECORD_FLAG_RESERVE);
		memcpy(rec.replaces, old->rec.uuid, sizeof rec.replaces);
		memcpy(rec.description, old->rec.description, sizeof rec.description);
	}
	rec.flags = cpu_to_le32(flags);
	rec.size_bytes = cpu_to_le64(size_bytes);
	return instance_publish(inst, &rec);
}

/*
 * How many pages more have to be promised to a disk for a reservation of its
 * own or of the one that it replaces.  Fewer than none when it was begun with
 * a reservation and ends smaller.
 */
static int64_t
pages_to_promise(struct prmem_instance *inst, const struct prmem_instance *old, uint64_t size_bytes)
{
	uint32_t flags = le32_to_cpu(inst->rec.flags) | (old != NULL ? le32_to_cpu(old->rec.flags) : 0);

	if ((flags & RECORD_FLAG_RESERVE) == 0)
		return 0;
	return (int64_t)instance_still_needed(inst, size_bytes) - MAX(atomic_load(&inst->promised), 0);
}

/* Promise them; @handed_on of them come from the disk that goes.  Return: 0, -ENOSPC. */
static int
promise_finished(struct prmem_instance *inst, struct prmem_instance *old, int64_t more, int64_t handed_on)
{
	if (page_promise(inst->pool->pages, (uint64_t)(more - handed_on)) < 0)
		return -ENOSPC;
	if (old != NULL)
		atomic_fetch_sub(&old->promised, handed_on);
	atomic_fetch_add(&inst->promised, more);
	return 0;
}

static void
unpromise_finished(struct prmem_instance *inst, struct prmem_instance *old, int64_t more, int64_t handed_on)
{
	atomic_fetch_sub(&inst->promised, more);
	if (old != NULL)
		atomic_fetch_add(&old->promised, handed_on);
	page_unpromise(inst->pool->pages, (uint64_t)(more - handed_on));
}

/* Steps 4 and 5. */
static void
end_replaced(struct prmem_instance *inst, struct prmem_instance *old)
{
	struct prmem_pool *pool = inst->pool;

	/* Nobody may find it again, so nobody may change what its name means. */
	if (instance_remove_locked(old, NULL) < 0 || instance_finish_replacing(inst) < 0)
		pool_set_read_only(
			pool, "disk %s has been replaced, but the old one could not be removed; open the pool again",
			inst->rec.name);
}

static int
check_old(struct prmem_pool *pool, const struct prmem_instance *old, unsigned int flags, struct prmem_error *err)
{
	if (old == NULL)
		return 0;
	if ((flags & PRMEM_FINISH_REPLACE) == 0)
		return error_set(err, -EEXIST, "pool %s: disk %s exists already", pool->path, old->rec.name);
	if ((le32_to_cpu(old->rec.flags) & RECORD_FLAG_READ_ONLY) != 0)
		return error_set(err, -EPERM, "disk %s is read-only: set read-only=off first", old->rec.name);
	if (old->nr_handles > 0)
		return error_set(err, -EBUSY, "disk %s is in use; detach its clients", old->rec.name);
	return 0;
}

static int
finish_locked(struct prmem_instance *inst, uint64_t size_bytes, unsigned int flags, struct prmem_error *err)
{
	struct prmem_pool *pool = inst->pool;
	struct prmem_instance *old = instance_find_locked(pool->dir, PRMEM_SUBSYSTEM_RAMDISK, inst->rec.name);
	int64_t more, handed_on = 0;
	int r = check_old(pool, old, flags, err);

	if (r < 0)
		return r;
	if (disk_has_data_behind(inst, size_bytes))
		return error_set(err, -EEXIST, "disk %s has data behind %llu bytes", inst->rec.name,
				 (unsigned long long)size_bytes);
	/* Nodes without data would count as some of those that the disk still needs. */
	r = disk_cut_off(inst, size_bytes);
	if (r < 0)
		return error_set(err, r, "disk %s: cannot be cut off at %llu bytes: %s", inst->rec.name,
				 (unsigned long long)size_bytes, strerror(-r));
	more = pages_to_promise(inst, old, size_bytes);
	if (old != NULL)
		handed_on = MIN(MAX(more, 0), MAX(atomic_load(&old->promised), 0));
	if (more > 0 && promise_finished(inst, old, more, handed_on) < 0)
		return error_set(err, -ENOSPC,
				 "disk %s: the pool cannot reserve %lld more pages beside the old disk; free some, "
				 "or grow the pool",
				 inst->rec.name, (long long)(more - handed_on));
	/*
	 * The publishing store.  Durable before it: all that was written to the
	 * disk, on page cache once it was synced.  A crash right after it leaves
	 * the new disk, and the old one to be removed by the next open.
	 */
	r = publish_finished(inst, old, size_bytes);
	if (r < 0) {
		if (more > 0)
			unpromise_finished(inst, old, more, handed_on);
		return error_set(err, r, "pool %s: disk %s cannot be finished: %s", pool->path, inst->rec.name,
				 r == -ENOSPC ? "no space left in the pool" : strerror(-r));
	}
	/* What was promised to it for a larger size is for others again. */
	if (more < 0)
		unpromise_finished(inst, NULL, -more, 0);
	atomic_store(&inst->size_bytes, size_bytes);
	r = page_sync(pool->pages);
	if (old != NULL && r == 0)
		end_replaced(inst, old);
	else if (old != NULL)
		atomic_store(&old->removed, true);
	if (r < 0)
		return error_set(err, r, "disk %s: cannot be made durable: %s", inst->rec.name, strerror(-r));
	return 0;
}

int
prmem_disk_finish(struct prmem_disk *disk, uint64_t size_bytes, unsigned int flags, struct prmem_error *err)
{
	struct prmem_instance *inst = disk->inst;
	struct prmem_pool *pool = inst->pool;
	int r;

	if (size_bytes == 0 || size_bytes > disk->size_bytes)
		return error_set(err, -EINVAL, "disk %s: a size of %llu bytes is not possible: use 1 to %llu",
				 inst->rec.name, (unsigned long long)size_bytes, (unsigned long long)disk->size_bytes);
	if (pool_is_read_only(pool))
		return error_set(err, -EROFS, "pool %s is read-only: cannot create %s", pool->path, inst->rec.name);
	{
		LOCK_FOR_SCOPE(&pool->dir->inst_lock);
		r = finish_locked(inst, size_bytes, flags, err);
	}
	if (r == 0)
		disk->size_bytes = size_bytes;
	pool_watch_space(pool);
	return r;
}
