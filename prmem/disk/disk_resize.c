/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a disk ends: resizing it, and cutting off what lies beyond. */
#include "prmem/disk/disk_resize.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/disk/disk_partial.h"
#include "prmem/disk/disk_types.h"
#include "prmem/instance/instance.h"
#include "prmem/instance/record.h"
#include "prmem/instance/reserve.h"
#include "prmem/memory/error.h"

/* Publish a record with another size. */
static int
publish_size(struct prmem_instance *inst, uint64_t size_bytes)
{
	struct record_media rec;

	LOCK_FOR_SCOPE(&inst->pool->dir->rec_lock);
	rec = inst->rec;
	rec.size_bytes = cpu_to_le64(size_bytes);
	return instance_publish(inst, &rec);
}

int
disk_cut_off(struct prmem_instance *inst, uint64_t size_bytes)
{
	uint64_t first = DIV_ROUND_UP(size_bytes, PRMEM_PAGE_SIZE);

	return first > XA_MAX_INDEX ? 0 : xa_erase_range(&inst->xa, (uint32_t)first, XA_MAX_INDEX);
}

/* Make all of a disk from a byte on empty, whatever its size says. */
static int
erase_behind(struct prmem_instance *inst, uint64_t from)
{
	struct prmem_disk all = {.inst = inst, .size_bytes = PRMEM_DISK_SIZE_MAX};
	struct disk_part part = disk_part_at(from, PRMEM_PAGE_SIZE);
	int r = part.start != 0 ? disk_write_part(&all, &part, NULL) : 0;

	return r < 0 ? r : disk_cut_off(inst, from);
}

bool
disk_has_data_behind(struct prmem_instance *inst, uint64_t size_bytes)
{
	uint64_t first = DIV_ROUND_UP(size_bytes, PRMEM_PAGE_SIZE);
	uint32_t idx = (uint32_t)first;

	return first <= XA_MAX_INDEX && xa_find(&inst->xa, &idx, XA_MAX_INDEX) != 0;
}

static int
shrink(struct prmem_instance *inst, uint64_t size_bytes)
{
	uint64_t old = atomic_load(&inst->size_bytes);
	int r;

	/* No request reaches behind the new end from here on; those under way end. */
	atomic_store(&inst->size_bytes, size_bytes);
	xa_set_end(&inst->xa, DIV_ROUND_UP(size_bytes, PRMEM_PAGE_SIZE));
	r = publish_size(inst, size_bytes);
	if (r < 0) {
		atomic_store(&inst->size_bytes, old);
		xa_set_end(&inst->xa, UINT64_C(1) << XA_INDEX_BITS);
		return r;
	}
	/* A crash before this is done leaves entries that the next open erases. */
	r = erase_behind(inst, size_bytes);
	xa_set_end(&inst->xa, UINT64_C(1) << XA_INDEX_BITS);
	return r;
}

/*
 * Give back what is promised to a disk beyond what it can still need.  Not
 * simply the difference of two sizes: that may be more than it has, and then
 * the rest would be another disk's.  Requests under way draw first and count
 * later: they leave it more than it needs, never less.
 */
static void
unpromise_rest(struct prmem_instance *inst, uint64_t size_bytes)
{
	int64_t rest = atomic_load(&inst->promised) - (int64_t)instance_still_needed(inst, size_bytes);

	if (rest > 0) {
		atomic_fetch_sub(&inst->promised, rest);
		page_unpromise(inst->pool->pages, (uint64_t)rest);
	}
}

int
prmem_disk_resize(struct prmem_pool *pool, const char *name, uint64_t size_bytes, bool force,
		  struct prmem_error *err)
{
	struct directory *dir = pool->dir;
	struct prmem_instance *inst;
	uint64_t old, need = 0, had = 0;
	bool reserved;
	int r;

	if (size_bytes == 0 || size_bytes > PRMEM_DISK_SIZE_MAX)
		return error_set(err, -EINVAL, "disk %s: a size of %llu bytes is not possible: use 1 to 16T", name,
				 (unsigned long long)size_bytes);
	LOCK_FOR_SCOPE(&dir->inst_lock);
	inst = instance_find_locked(dir, PRMEM_SUBSYSTEM_RAMDISK, name);
	if (inst == NULL)
		return error_set(err, -ENOENT, "pool %s: there is no disk %s", pool->path, name);
	if (pool_is_read_only(pool) || atomic_load(&inst->damaged))
		return error_set(err, -EROFS, "pool %s is read-only: cannot resize %s", pool->path, name);
	old = atomic_load(&inst->size_bytes);
	if (size_bytes == old)
		return 0;
	if (size_bytes < old && !force && disk_has_data_behind(inst, size_bytes))
		return error_set(err, -EEXIST, "disk %s has data behind %llu bytes, which would be lost; force it to go on",
				 name, (unsigned long long)size_bytes);
	reserved = (le32_to_cpu(inst->rec.flags) & RECORD_FLAG_RESERVE) != 0;
	if (reserved) {
		need = instance_need_pages(size_bytes);
		had = instance_need_pages(old);
	}
	if (need > had && page_promise(pool->pages, need - had) < 0)
		return error_set(err, -ENOSPC, "disk %s: the pool cannot reserve %llu more pages", name,
				 (unsigned long long)(need - had));
	if (size_bytes < old) {
		r = shrink(inst, size_bytes);
	} else {
		/* What an earlier end left behind it must not come back to light. */
		r = erase_behind(inst, old);
		r = r < 0 ? r : publish_size(inst, size_bytes);
		if (r == 0)
			atomic_store(&inst->size_bytes, size_bytes);
	}
	if (r == 0)
		r = page_sync(pool->pages);
	if (r < 0) {
		if (need > had)
			page_unpromise(pool->pages, need - had);
		return error_set(err, r, "disk %s: cannot resize: %s", name, strerror(-r));
	}
	if (need > had) {
		atomic_fetch_add(&inst->promised, (int64_t)(need - had));
	} else if (need < had) {
		unpromise_rest(inst, size_bytes);
	}
	return 0;
}
