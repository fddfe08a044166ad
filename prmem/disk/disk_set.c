/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changing what a disk says of itself: flags, description, reservation.
 */
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/low_space.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/instance/reserve.h"
#include "prmem/memory/error.h"
#include "prmem/memory/sized.h"

/* What a disk may still need so that it has room for all of it. */
static uint64_t
still_needed(const struct prmem_instance *inst)
{
	return instance_still_needed(inst, atomic_load(&inst->size_bytes));
}

/*
 * Requests go on meanwhile, and keep the promise right by themselves only
 * once they see the flag: what was trimmed just before that is made up for.
 */
static void
promise_the_rest(struct prmem_instance *inst)
{
	int64_t more = (int64_t)still_needed(inst) - atomic_load(&inst->promised);

	if (more > 0 && page_promise(inst->pool->pages, (uint64_t)more) == 0)
		atomic_fetch_add(&inst->promised, more);
}

static int
publish_changes(struct prmem_instance *inst, const struct prmem_disk_changes *changes)
{
	struct record_media rec;
	uint32_t flags;

	LOCK_FOR_SCOPE(&inst->pool->dir->rec_lock);
	rec = inst->rec;
	flags = le32_to_cpu(rec.flags);
	if (changes->read_only != NULL)
		flags = *changes->read_only ? flags | RECORD_FLAG_READ_ONLY : flags & ~RECORD_FLAG_READ_ONLY;
	if (changes->reserve != NULL)
		flags = *changes->reserve ? flags | RECORD_FLAG_RESERVE : flags & ~RECORD_FLAG_RESERVE;
	rec.flags = cpu_to_le32(flags);
	if (changes->description != NULL) {
		memset(rec.description, 0, sizeof rec.description);
		memcpy(rec.description, changes->description, strlen(changes->description));
	}
	return instance_publish(inst, &rec);
}

static void
give_up_promise(struct prmem_instance *inst)
{
	int64_t promised = atomic_exchange(&inst->promised, 0);

	if (promised > 0)
		page_unpromise(inst->pool->pages, (uint64_t)promised);
}

static int
set_locked(struct prmem_instance *inst, const struct prmem_disk_changes *changes, struct prmem_error *err)
{
	struct prmem_pool *pool = inst->pool;
	bool was_reserved = (le32_to_cpu(inst->rec.flags) & RECORD_FLAG_RESERVE) != 0;
	bool reserve = changes->reserve == NULL ? was_reserved : *changes->reserve;
	uint64_t need = still_needed(inst);
	int r;

	if (reserve && !was_reserved) {
		if (page_promise(pool->pages, need) < 0)
			return error_set(err, -ENOSPC,
					 "disk %s: the pool cannot reserve %llu pages; free some, or grow the pool",
					 inst->rec.name, (unsigned long long)need);
		atomic_fetch_add(&inst->promised, (int64_t)need);
	}
	r = publish_changes(inst, changes);
	if (r == 0)
		r = page_sync(pool->pages);
	if ((le32_to_cpu(inst->rec.flags) & RECORD_FLAG_RESERVE) == 0)
		give_up_promise(inst);
	else if (!was_reserved)
		promise_the_rest(inst);
	if (r < 0)
		return error_set(err, r, "disk %s: cannot be changed: %s", inst->rec.name,
				 r == -ENOSPC ? "no space left in the pool" : strerror(-r));
	return 0;
}

int
prmem_disk_set(struct prmem_pool *pool, const char *name, const struct prmem_disk_changes *changes,
	       size_t changes_bytes, struct prmem_error *err)
{
	struct prmem_disk_changes known;
	struct prmem_instance *inst;
	int r = SIZED_TAKE(&known, description, changes, changes_bytes, err);

	if (r < 0)
		return r;
	if (known.description != NULL && strlen(known.description) > PRMEM_DESCRIPTION_MAX)
		return error_set(err, -EINVAL, "disk %s: the description is longer than %d characters", name,
				 PRMEM_DESCRIPTION_MAX);
	{
		LOCK_FOR_SCOPE(&pool->dir->inst_lock);
		inst = instance_find_locked(pool->dir, PRMEM_SUBSYSTEM_RAMDISK, name);
		if (inst == NULL)
			return error_set(err, -ENOENT, "pool %s: there is no disk %s", pool->path, name);
		if (pool_is_read_only(pool))
			return error_set(err, -EROFS, "pool %s is read-only: cannot change %s", pool->path, name);
		r = set_locked(inst, &known, err);
	}
	pool_watch_space(pool);
	return r;
}
