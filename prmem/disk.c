/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pram disks: making, opening, resizing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/disk.h"
#include "prmem/error.h"
#include "prmem/instance.h"
#include "prmem/page_alloc.h"
#include "prmem/record.h"
#include "prmem/reserve.h"
#include "prmem/sized.h"

int
disk_create_locked(struct prmem_pool *pool, const struct prmem_disk_args *args, uint32_t flags,
		   struct prmem_instance **ret_inst, struct prmem_error *err)
{
	struct directory *dir = pool->dir;
	struct record_media rec = {0};
	struct prmem_instance *inst;
	uint64_t need = 0;
	int r;

	if (!name_is_valid(args->name))
		return error_set(err, -EINVAL,
				 "\"%s\" is not a valid name: use 1 to %d printable characters without '/', '@' and space",
				 args->name, PRMEM_NAME_MAX);
	if (args->size_bytes == 0 || args->size_bytes > PRMEM_DISK_SIZE_MAX)
		return error_set(err, -EINVAL, "disk %s: a size of %llu bytes is not possible: use 1 to 16T",
				 args->name, (unsigned long long)args->size_bytes);
	if (args->description != NULL && strlen(args->description) > PRMEM_DESCRIPTION_MAX)
		return error_set(err, -EINVAL, "disk %s: the description is longer than %d characters", args->name,
				 PRMEM_DESCRIPTION_MAX);
	flags |= args->read_only ? RECORD_FLAG_READ_ONLY : 0;
	flags |= args->reserve ? RECORD_FLAG_RESERVE : 0;
	strcpy(rec.subsystem, PRMEM_SUBSYSTEM_RAMDISK);
	strcpy(rec.name, args->name);
	if (args->description != NULL)
		strcpy(rec.description, args->description);
	rec.size_bytes = cpu_to_le64(args->size_bytes);
	rec.flags = cpu_to_le32(flags);

	if ((flags & RECORD_FLAG_UNFINISHED) == 0 &&
	    instance_find_locked(dir, PRMEM_SUBSYSTEM_RAMDISK, args->name) != NULL)
		return error_set(err, -EEXIST, "pool %s: disk %s exists already", pool->path, args->name);
	if (args->reserve) {
		need = instance_need_pages(args->size_bytes);
		if (page_promise(pool->pages, need) < 0)
			return error_set(err, -ENOSPC,
					 "disk %s: the pool cannot reserve %llu pages; make the disk smaller, or free some",
					 args->name, (unsigned long long)need);
	}
	r = instance_create_locked(dir, &rec, &inst, err);
	if (r < 0) {
		if (args->reserve)
			page_unpromise(pool->pages, need);
		return r;
	}
	atomic_store(&inst->promised, (int64_t)need);
	*ret_inst = inst;
	return 0;
}

int
prmem_disk_create(struct prmem_pool *pool, const struct prmem_disk_args *args, size_t args_bytes,
		  struct prmem_error *err)
{
	struct prmem_disk_args known;
	struct prmem_instance *inst;
	int r = SIZED_TAKE(&known, description, args, args_bytes, err);

	if (r < 0)
		return r;
	LOCK_FOR_SCOPE(&pool->dir->inst_lock);
	return disk_create_locked(pool, &known, 0, &inst, err);
}

int
prmem_disk_open(struct prmem_pool *pool, const char *name, struct prmem_disk **ret_disk, struct prmem_error *err)
{
	CLEANUP_FREE struct prmem_disk *disk = calloc(1, sizeof *disk);
	int r;

	if (disk == NULL)
		return error_set(err, -ENOMEM, "disk %s: out of memory", name);
	r = prmem_get(pool, PRMEM_SUBSYSTEM_RAMDISK, name, 0, &disk->inst, err);
	if (r < 0)
		return r;
	stats_attach(disk->inst);
	disk->size_bytes = atomic_load(&disk->inst->size_bytes);
	disk->read_only = (atomic_load(&disk->inst->flags) & RECORD_FLAG_READ_ONLY) != 0;
	*ret_disk = disk;
	disk = NULL;
	return 0;
}

void
prmem_disk_close(struct prmem_disk *disk)
{
	if (disk == NULL)
		return;
	if (instance_is_hidden(disk->inst))
		disk_abandon(disk->inst);
	else
		prmem_put(disk->inst);
	free(disk);
}

uint64_t
prmem_disk_size(struct prmem_disk *disk)
{
	return disk->size_bytes;
}

bool
prmem_disk_is_read_only(struct prmem_disk *disk)
{
	return disk->read_only || pool_is_read_only(disk->inst->pool);
}

void
prmem_disk_info(struct prmem_disk *disk, struct prmem_instance_info *ret_info, size_t info_bytes)
{
	prmem_instance_info(disk->inst, ret_info, info_bytes);
}

int
disk_check_range(const struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	uint64_t size_bytes = atomic_load_explicit(&disk->inst->size_bytes, memory_order_relaxed);

	if (UNLIKELY(atomic_load_explicit(&disk->inst->removed, memory_order_relaxed)))
		return -ESHUTDOWN;
	/* A disk that was shrunk ends sooner for those who opened it before. */
	size_bytes = MIN(size_bytes, disk->size_bytes);
	if (UNLIKELY(off > size_bytes || len_bytes > size_bytes - off))
		return -EINVAL;
	return 0;
}

int
disk_check_write(const struct prmem_disk *disk, uint64_t len_bytes, uint64_t off)
{
	if (UNLIKELY(disk->read_only))
		return -EPERM;
	if (UNLIKELY(pool_is_read_only(disk->inst->pool)))
		return -EROFS;
	return disk_check_range(disk, len_bytes, off);
}

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
