/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making a pool larger while it is used.
 *
 * Flow of a growth of region 0, which is a file:
 *	1. superblock: the aim, grow_to_pages
 *	2. lengthen the file, fsync, map what is new by itself
 *	3. take all memory that the allocator will need
 *	4. superblock: the new size, and no aim any more
 *	5. the new pages may be handed out
 * A crash before 1 leaves the old pool; behind 1 and before 4 the old pool with
 * an aim, whose file may be longer: the next writable open cuts it again
 * (open.c); behind 4 the new pool.  A failure before 4 takes all back.
 *
 * Flow of adding a region:
 *	1. open, lock and map it, see that nothing is lost on it
 *	2. take all memory
 *	3. write its header, fence
 *	4. superblock: the table has it
 *	5. the new pages may be handed out
 * A crash before 4 leaves the pool as it was and a header that nobody names.
 *
 * Who reads and writes meanwhile sees the region before anything points into
 * it: regions and the numbers of them are published before pages are handed
 * out (pool.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "prmem/alloc/low_space.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/sb_publish.h"
#include "prmem/core/notice.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/foreign.h"
#include "prmem/memory/owner.h"
#include "prmem/memory/region_file.h"
#include "prmem/memory/sized.h"
#include "prmem/memory/superblock.h"

#define REGION_PAGES_MIN (PRMEM_POOL_SIZE_MIN >> PRMEM_PAGE_SHIFT)

/* Write a changed superblock. */
static void
publish_sb(struct prmem_pool *pool, struct sb_media *sb)
{
	LOCK_FOR_SCOPE(&pool->sb_lock);
	/* The directory may have got another root since it was copied. */
	sb->dir_root = pool->sb.dir_root;
	sb->dir_height = pool->sb.dir_height;
	sb->seq = pool->sb.seq;
	memcpy(sb->label, pool->sb.label, sizeof sb->label);
	pool_write_sb(pool, sb);
	pool->sb = *sb;
}

/* Return: 0, -EIO. */
static int
publish_synced(struct prmem_pool *pool, struct sb_media *sb)
{
	publish_sb(pool, sb);
	return page_sync(pool->pages);
}

static struct sb_media
current_sb(struct prmem_pool *pool)
{
	LOCK_FOR_SCOPE(&pool->sb_lock);
	return pool->sb;
}

/* Step 5.  The number of pages last: who is below it finds the region. */
static void
use_region(struct prmem_pool *pool, const struct pool_region *region, uint64_t nr_pages, struct page_growth *growth)
{
	unsigned int i = atomic_load(&pool->nr_regions);

	pool->regions[i].pm = region->pm;
	pool->regions[i].file = region->file;
	pool->regions[i].start_pfn = region->start_pfn;
	pool->regions[i].has_header = region->has_header;
	atomic_store(&pool->regions[i].nr_pages, region->nr_pages);
	atomic_store(&pool->nr_regions, i + 1);
	atomic_store(&pool->nr_pages, nr_pages);
	page_grow_commit(pool->pages, growth, region->start_pfn);
	pool_watch_space(pool);
}

/* Space for the new pages that share a unit of the allocator with old ones. */
static int
ensure_first(struct pm *pm, uint64_t start_pfn, uint64_t nr_pages)
{
	uint64_t nr = MIN(ROUND_UP(start_pfn, 64) - start_pfn + 1, nr_pages);

	return pm_ensure(pm, 0, nr << PRMEM_PAGE_SHIFT);
}

/* ---- the file of region 0 ---- */

static int
check_growth(struct prmem_pool *pool, uint64_t nr_new, struct prmem_error *err)
{
	if (pool_is_read_only(pool))
		return error_set(err, -EROFS, "pool %.200s is read-only: cannot grow it", pool->path);
	if (nr_new < pool->nr_pages)
		return error_set(err, -EINVAL, "pool %.200s: cannot be made smaller: it has %" PRIu64 " bytes",
				 pool->path, pool->nr_pages << PRMEM_PAGE_SHIFT);
	/* Page number 2^32 - 1 stays unused. */
	if (nr_new > UINT32_MAX)
		return error_set(err, -EINVAL, "pool %.200s: a pool has less than 16 TiB", pool->path);
	if (le32_to_cpu(current_sb(pool).nr_regions) > 1)
		return error_set(err, -EOPNOTSUPP,
				 "pool %.200s: has several regions: add another one to make it larger", pool->path);
	if (pool->pm->ops->extend == NULL || pool->pm->ops->cut == NULL)
		return error_set(err, -EOPNOTSUPP, "pool %.200s: is no file that can grow: add a region", pool->path);
	if (!backing_may_grow_to(nr_new << PRMEM_PAGE_SHIFT))
		return error_set(err, -EFBIG, "pool %.200s: the process may not write a file that large (ulimit -f)",
				 pool->path);
	if (atomic_load(&pool->nr_regions) == SB_MAX_REGIONS)
		return error_set(err, -ENOSPC, "pool %.200s: has grown too often since it was opened: open it again",
				 pool->path);
	return 0;
}

/* Steps 2 and 3. */
static int
lengthen(struct prmem_pool *pool, uint64_t nr_old, uint64_t nr_new, struct pm **ret_pm, struct page_growth **ret_growth)
{
	uint64_t old_bytes = nr_old << PRMEM_PAGE_SHIFT;
	int r = pool->pm->ops->extend(pool->pm, old_bytes, nr_new << PRMEM_PAGE_SHIFT, ret_pm);

	if (r < 0)
		return r;
	r = ensure_first(*ret_pm, nr_old, nr_new - nr_old);
	if (r == 0)
		r = page_grow_prepare(pool->pages, nr_new, ret_growth);
	if (r < 0) {
		(*ret_pm)->ops->close(*ret_pm);
		(void)pool->pm->ops->cut(pool->pm, old_bytes);
	}
	return r;
}

static int
grow_locked(struct prmem_pool *pool, uint64_t nr_new, struct prmem_error *err)
{
	uint64_t nr_old = pool->nr_pages;
	struct page_growth *growth = NULL;
	struct pool_region region = {0};
	struct sb_media sb;
	struct pm *pm = NULL;
	int r = check_growth(pool, nr_new, err);

	if (r < 0 || nr_new == nr_old)
		return r;
	/* 1. */
	sb = current_sb(pool);
	sb.grow_to_pages = cpu_to_le64(nr_new);
	r = publish_synced(pool, &sb);
	if (r == 0)
		r = lengthen(pool, nr_old, nr_new, &pm, &growth);
	if (r < 0) {
		sb.grow_to_pages = cpu_to_le64(0);
		(void)publish_synced(pool, &sb);
		return error_set(err, r, "pool %.200s: cannot grow: %s", pool->path, strerror(-r));
	}
	/*
	 * 4. The publishing store.  Durable before it: the file's new length.
	 * A crash in it leaves the old size with an aim, or the new size.
	 */
	sb.nr_pages = sb.regions[0].nr_pages = cpu_to_le64(nr_new);
	sb.grow_to_pages = cpu_to_le64(0);
	r = publish_synced(pool, &sb);
	/* Whether or not the sync failed: this is its size now. */
	region.pm = pm;
	region.start_pfn = (uint32_t)nr_old;
	region.nr_pages = (uint32_t)(nr_new - nr_old);
	use_region(pool, &region, nr_new, growth);
	if (r < 0)
		return error_set(err, r, "pool %.200s: grew, but that could not be made durable: %s", pool->path,
				 strerror(-r));
	return 0;
}

int
prmem_grow(struct prmem_pool *pool, uint64_t size_bytes, struct prmem_error *err)
{
	LOCK_FOR_SCOPE(&pool->grow_lock);
	return grow_locked(pool, size_bytes >> PRMEM_PAGE_SHIFT, err);
}

/* ---- a further region ---- */

/*
 * What is part of this pool already, under another name or as a copy of it, is
 * not taken by force either: the lock does not keep two nodes of one device
 * apart.
 */
static int
check_not_own(struct prmem_pool *pool, const struct region_opened *opened, struct prmem_error *err)
{
	const struct sb_media table = current_sb(pool);
	const char *path = opened->file->path;
	struct prmem_error what;
	struct region_media header;
	struct sb_media sb;
	bool ro;
	enum sb_state state = sb_read(opened->pm, &sb, &ro, &what);

	if ((state == SB_GOOD || state == SB_REPAIR) && memcmp(sb.uuid, table.uuid, sizeof sb.uuid) == 0)
		return error_set(err, -EEXIST,
				 "region %.200s: is this pool itself, or a copy of it; if it is a copy that nobody needs, "
				 "format it first",
				 path);
	memcpy(&header, opened->pm->base, sizeof header);
	if (!region_header_is_valid(&header) || memcmp(header.pool_uuid, table.uuid, sizeof header.pool_uuid) != 0)
		return 0;
	for (uint32_t i = 1; i < le32_to_cpu(table.nr_regions); i++) {
		if (memcmp(header.uuid, table.regions[i].uuid, sizeof header.uuid) == 0)
			return error_set(err, -EEXIST,
					 "region %.200s: is region %u of this pool already, or a copy of it; if it is a "
					 "copy that nobody needs, format it first",
					 path, i);
	}
	return 0;
}

/* Is there a pool, or a region of one?  Return: 0; or -EMEDIUMTYPE, and said so. */
static int
check_no_pool(struct prmem_pool *pool, const struct region_opened *opened, struct prmem_error *err)
{
	const char *path = opened->file->path;
	struct prmem_error what = {0};
	struct region_media header;
	struct sb_media sb;
	bool ro;

	memcpy(&header, opened->pm->base, sizeof header);
	if (region_header_is_valid(&header) && memcmp(header.pool_uuid, pool->sb.uuid, sizeof header.pool_uuid) != 0)
		return error_set(err, -EMEDIUMTYPE, "region %.200s: belongs to another pool; force it if that is gone",
				 path);
	switch (sb_read(opened->pm, &sb, &ro, &what)) {
	case SB_GOOD:
	case SB_REPAIR:
		return error_set(err, -EMEDIUMTYPE,
				 "region %.200s: there is a pool on it%s%.63s%s; force it if nothing is to be kept", path,
				 sb.label[0] != '\0' ? " (" : "", sb.label, sb.label[0] != '\0' ? ")" : "");
	case SB_NEWER:
	case SB_DAMAGED:
	case SB_WRONG:
		return error_set(err, -EMEDIUMTYPE,
				 "region %.200s: there is a pool on it (%.150s); force it if nothing is to be kept", path,
				 what.message);
	default:
		return 0;
	}
}

/* Would anything be lost? */
static int
check_unused(struct prmem_pool *pool, const struct region_opened *opened, struct prmem_error *err)
{
	const char *path = opened->file->path;
	int fd = owner_lock_fd(opened->file->lock);
	struct region_media header;
	char what[112];
	struct stat st;
	bool is_device;
	uint64_t off;
	int r;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "region %.200s: cannot be looked at: %s", path, strerror(errno));
	is_device = S_ISCHR(st.st_mode);
	r = check_no_pool(pool, opened, err);
	if (r < 0)
		return r;
	memcpy(&header, opened->pm->base, sizeof header);
	r = probe_signature(opened->pm, fd, is_device, what, sizeof what);
	/*
	 * A header of this pool that its table does not have was left by a try
	 * that was interrupted, or belongs to a copy of this pool: what comes
	 * behind it tells.
	 */
	if (r == 0)
		r = probe_data(opened->pm, fd, is_device, region_header_is_valid(&header) ? PRMEM_PAGE_SIZE : 0, NULL,
			       &off);
	else if (r == 1)
		return error_set(err, -EMEDIUMTYPE,
				 "region %.200s: there is %.110s on it; force it if nothing is to be kept", path, what);
	if (r == 1)
		return error_set(err, -EMEDIUMTYPE,
				 "region %.200s: there is data on it (at byte %" PRIu64
				 "); force it if nothing is to be kept",
				 path, off);
	return r < 0 ? error_set(err, r, "region %.200s: cannot be searched for what is on it: %s", path, strerror(-r))
		     : 0;
}

#define TOO_LARGE "a pool has less than 16 TiB, and this would be more"

/* Page number 2^32 - 1 stays unused. */
static bool
has_numbers_for(const struct prmem_pool *pool, uint64_t nr_pages)
{
	return nr_pages <= UINT32_MAX - pool->nr_pages;
}

static int
check_region(struct prmem_pool *pool, const struct prmem_region_args *args, const struct region_opened *opened,
	     struct prmem_error *err)
{
	uint64_t nr = opened->pm->len_bytes >> PRMEM_PAGE_SHIFT;
	int r;

	if (nr < REGION_PAGES_MIN)
		return error_set(err, -EINVAL, "region %.200s: too small: %" PRIu64 " bytes", args->path,
				 opened->pm->len_bytes);
	if (!has_numbers_for(pool, nr))
		return error_set(err, -ENOSPC, "region %.200s: " TOO_LARGE, args->path);
	if (opened->pm->is_pmem != pool->pm->is_pmem)
		return error_set(err, -EINVAL, "region %.200s: is %s: add one of the pool's kind", args->path,
				 opened->pm->is_pmem ? "persistent memory, and the pool is not"
						     : "no persistent memory, and the pool is");
	r = opened->was_empty ? 0 : check_not_own(pool, opened, err);
	return r < 0 || args->force || opened->was_empty ? r : check_unused(pool, opened, err);
}

static int
make_entry(struct prmem_pool *pool, const struct region_opened *opened, const char *path,
	   struct sb_region_media *ret_entry, struct prmem_error *err)
{
	char *real = realpath(path, NULL);

	memset(ret_entry, 0, sizeof *ret_entry);
	ret_entry->start_pfn = cpu_to_le64(pool->nr_pages);
	ret_entry->nr_pages = cpu_to_le64(opened->pm->len_bytes >> PRMEM_PAGE_SHIFT);
	if (real == NULL || strlen(real) >= sizeof ret_entry->path) {
		free(real);
		return error_set(err, -ENAMETOOLONG, "region %.200s: its full path is longer than %zu characters", path,
				 sizeof ret_entry->path - 1);
	}
	strcpy(ret_entry->path, real);
	free(real);
	if (getrandom(ret_entry->uuid, sizeof ret_entry->uuid, 0) != (ssize_t)sizeof ret_entry->uuid)
		return error_set(err, -EIO, "region %.200s: no random numbers", path);
	return 0;
}

/* Step 3. */
static int
write_header(struct prmem_pool *pool, const struct region_opened *opened, uint32_t number,
	     const struct sb_region_media *entry)
{
	struct region_media header = {
		.magic = cpu_to_le64(REGION_MAGIC),
		.version = cpu_to_le32(SB_VERSION),
		.number = cpu_to_le32(number),
		.start_pfn = entry->start_pfn,
		.nr_pages = entry->nr_pages,
	};
	int r = ensure_first(opened->pm, le64_to_cpu(entry->start_pfn), le64_to_cpu(entry->nr_pages));

	if (r < 0)
		return r;
	memcpy(header.pool_uuid, pool->sb.uuid, sizeof header.pool_uuid);
	memcpy(header.uuid, entry->uuid, sizeof header.uuid);
	header.crc = cpu_to_le32(region_header_crc(&header));
	pm_copy(opened->pm, opened->pm->base, &header, sizeof header, PM_SITE_REGION_COPY);
	pm_fence(opened->pm, PM_SITE_REGION_FENCE);
	return pm_sync(opened->pm);
}

static int
add_locked(struct prmem_pool *pool, const struct prmem_region_args *args, const struct region_opened *opened,
	   struct prmem_error *err)
{
	struct sb_media sb = current_sb(pool);
	uint32_t number = le32_to_cpu(sb.nr_regions);
	struct page_growth *growth;
	struct pool_region region = {.pm = opened->pm, .has_header = true, .file = opened->file};
	struct sb_region_media entry;
	uint64_t nr_new;
	int r = check_region(pool, args, opened, err);

	if (r == 0)
		r = make_entry(pool, opened, args->path, &entry, err);
	if (r < 0)
		return r;
	nr_new = pool->nr_pages + le64_to_cpu(entry.nr_pages);
	r = page_grow_prepare(pool->pages, nr_new, &growth);
	if (r < 0)
		return error_set(err, r, "region %.200s: cannot be added: %s", args->path, strerror(-r));
	r = write_header(pool, opened, number, &entry);
	if (r < 0) {
		page_grow_cancel(growth);
		return error_set(err, r, "region %.200s: cannot be written: %s", args->path, strerror(-r));
	}
	/*
	 * 4. The publishing store.  Durable before it: the header.  A crash in it
	 * leaves the pool without the region, or with it.
	 */
	sb.regions[number] = entry;
	sb.nr_regions = cpu_to_le32(number + 1);
	sb.nr_pages = cpu_to_le64(nr_new);
	r = publish_synced(pool, &sb);
	region.start_pfn = (uint32_t)le64_to_cpu(entry.start_pfn);
	region.nr_pages = (uint32_t)le64_to_cpu(entry.nr_pages);
	use_region(pool, &region, nr_new, growth);
	/* It is a part of the pool now, whether or not that is durable. */
	if (r < 0)
		pool_notice(pool, "pool %.200s: region %.200s was added, but that could not be made durable: %s",
			    pool->path, args->path, strerror(-r));
	return 0;
}

/* Before the lock only says that somebody has it. */
static int
check_not_open(struct prmem_pool *pool, const char *path, struct prmem_error *err)
{
	struct stat st, own;

	if (stat(path, &st) < 0)
		return 0;
	for (uint32_t i = 0; i < atomic_load(&pool->nr_regions); i++) {
		const struct region_file *file = pool->regions[i].file;
		const struct owner_lock *lock = i == 0 ? pool->lock : file != NULL ? file->lock : NULL;

		if (lock == NULL || fstat(owner_lock_fd(lock), &own) < 0)
			continue;
		if (S_ISCHR(st.st_mode) ? S_ISCHR(own.st_mode) && st.st_rdev == own.st_rdev
					: st.st_dev == own.st_dev && st.st_ino == own.st_ino)
			return error_set(err, -EEXIST, "region %.200s: is a part of this pool already", path);
	}
	return 0;
}

int
prmem_add_region(struct prmem_pool *pool, const struct prmem_region_args *args, size_t args_bytes,
		 struct prmem_error *err)
{
	struct prmem_region_args known;
	struct region_opened opened;
	int r = SIZED_TAKE(&known, region_size_bytes, args, args_bytes, err);

	if (r < 0)
		return r;
	if (pool_is_read_only(pool))
		return error_set(err, -EROFS, "pool %.200s is read-only: cannot add a region", pool->path);
	LOCK_FOR_SCOPE(&pool->grow_lock);
	if (le32_to_cpu(current_sb(pool).nr_regions) == SB_MAX_REGIONS ||
	    atomic_load(&pool->nr_regions) == SB_MAX_REGIONS)
		return error_set(err, -ENOSPC, "pool %.200s: has %u regions already, more it cannot have", pool->path,
				 SB_MAX_REGIONS);
	/* Before a file of such a size is made. */
	if (!has_numbers_for(pool, known.region_size_bytes >> PRMEM_PAGE_SHIFT))
		return error_set(err, -ENOSPC, "region %.200s: " TOO_LARGE, known.path);
	r = check_not_open(pool, known.path, err);
	if (r == 0)
		r = region_file_open(known.path, known.region_size_bytes, false, &opened, err);
	if (r < 0)
		return r;
	r = add_locked(pool, &known, &opened, err);
	if (r < 0)
		region_file_undo(&opened, known.path);
	return r;
}
