/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Added regions.  Each begins with a header that says to which pool it
 * belongs and which of its pages it has; the superblock says the same of it.
 * Where it was last seen is a hint only: devices change their names.
 */
#include "prmem/pool/regions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "prmem/alloc/sb_publish.h"
#include "prmem/core/notice.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/owner.h"
#include "prmem/memory/region_file.h"
#include "prmem/memory/sized.h"
#include "prmem/memory/uuid.h"

/* Is this the region that the superblock means?  Return: NULL, or what is wrong. */
static const char *
what_is_wrong(const struct prmem_pool *pool, const struct pm *pm, uint32_t number, const struct sb_region_media *entry)
{
	struct region_media header;

	if (pm->len_bytes < sizeof header)
		return "it is too small";
	memcpy(&header, pm->base, sizeof header);
	if (!region_header_is_valid(&header))
		return "there is no region on it, or its header is damaged";
	if (memcmp(header.pool_uuid, pool->sb.uuid, sizeof header.pool_uuid) != 0)
		return "it is a region of another pool";
	if (memcmp(header.uuid, entry->uuid, sizeof header.uuid) != 0 || le32_to_cpu(header.number) != number ||
	    le64_to_cpu(header.start_pfn) != le64_to_cpu(entry->start_pfn))
		return "it is another region";
	if (pm->len_bytes >> PRMEM_PAGE_SHIFT < le64_to_cpu(entry->nr_pages))
		return "it is cut short";
	if (pm->is_pmem != pool->pm->is_pmem)
		return "it is not of the kind that the pool is (persistent memory or not)";
	return NULL;
}

/* Try one place.  Return: 0 when it is there; 1 when it is not it; -errno with the message otherwise. */
static int
try_path(struct prmem_pool *pool, uint32_t number, const char *path, bool read_only, struct prmem_error *why)
{
	const struct sb_region_media *entry = &pool->sb.regions[number];
	struct pool_region *region = &pool->regions[number];
	struct region_opened opened;
	const char *wrong;
	int r = region_file_open(path, 0, read_only, &opened, why);

	if (r == -ENOMEM || r == -EBUSY)
		return r;
	if (r < 0)
		return 1;
	wrong = what_is_wrong(pool, opened.pm, number, entry);
	if (wrong != NULL) {
		error_set(why, -ENXIO, "region %.200s: %s", path, wrong);
		region_file_close(&opened);
		return 1;
	}
	region->pm = opened.pm;
	region->file = opened.file;
	return 0;
}

/* Is it one that an earlier region has been found at? */
static bool
is_taken(const struct prmem_pool *pool, uint32_t number, const char *path)
{
	for (uint32_t i = 1; i < number; i++) {
		const struct region_file *file = pool->regions[i].file;

		if (file != NULL && backing_is_named(owner_lock_fd(file->lock), path))
			return true;
	}
	return false;
}

/*
 * The places that were named come first: at the old one there may be another
 * one by now.
 */
static int
find_region(struct prmem_pool *pool, uint32_t number, const struct prmem_open_args *args, struct prmem_error *why)
{
	const struct sb_region_media *entry = &pool->sb.regions[number];
	bool read_only = args->read_only || pool->pm->read_only;
	char hint[sizeof entry->path + 1] = "";
	struct prmem_error busy = {0}, what = {0};
	int r = 1;

	/* From media: the NUL may be missing. */
	memcpy(hint, entry->path, sizeof entry->path);
	for (size_t i = 0; args->region_paths != NULL && args->region_paths[i] != NULL; i++) {
		if (is_taken(pool, number, args->region_paths[i]))
			continue;
		r = try_path(pool, number, args->region_paths[i], read_only, &what);
		if (r == 0 || r == -ENOMEM)
			return r;
		if (r == -EBUSY)
			busy = what;
	}
	error_set(why, -ENXIO, "nobody knows its path");
	r = hint[0] == '\0' ? 1 : try_path(pool, number, hint, read_only, why);
	if (r == 1 && busy.code == -EBUSY)
		*why = busy;
	return r == 1 && busy.code == -EBUSY ? -EBUSY : r;
}

static int
region_open(struct prmem_pool *pool, uint32_t number, const struct prmem_open_args *args, struct prmem_error *err)
{
	const struct sb_region_media *entry = &pool->sb.regions[number];
	struct prmem_error why = {0};
	char uuid[37];
	int r = find_region(pool, number, args, &why);

	if (r == 0)
		return 0;
	uuid_format(entry->uuid, uuid);
	if (r == 1 && args->read_only && args->degraded) {
		pool_notice(pool, "pool %.100s: region %u (%s) is missing: what lies there cannot be read: %.200s",
			    pool->path, number, uuid, why.message);
		return 0;
	}
	if (r != 1)
		return error_set(err, r, "pool %.100s: region %u (%s) cannot be opened: %.200s", pool->path, number,
				 uuid, why.message);
	return error_set(err, -ENXIO,
			 "pool %.100s: region %u (%s) is missing: %.200s; attach it, say where it is now, or ask for "
			 "the disks that are whole, read-only",
			 pool->path, number, uuid, why.message);
}

void
regions_note_places(struct prmem_pool *pool)
{
	struct sb_media sb = pool->sb;
	bool changed = false;

	for (uint32_t i = 1; i < le32_to_cpu(sb.nr_regions); i++) {
		const struct region_file *file = pool->regions[i].file;
		CLEANUP_FREE char *real = file == NULL ? NULL : realpath(file->path, NULL);

		if (real == NULL || strlen(real) >= sizeof sb.regions[i].path ||
		    strncmp(real, sb.regions[i].path, sizeof sb.regions[i].path) == 0)
			continue;
		memset(sb.regions[i].path, 0, sizeof sb.regions[i].path);
		memcpy(sb.regions[i].path, real, strlen(real));
		changed = true;
	}
	if (!changed)
		return;
	LOCK_FOR_SCOPE(&pool->sb_lock);
	/* A hint and no more: a crash leaves the old place or the new one. */
	pool_write_sb(pool, &sb);
	pool->sb = sb;
}

int
regions_open(struct prmem_pool *pool, const struct prmem_open_args *args, struct prmem_error *err)
{
	uint32_t nr = le32_to_cpu(pool->sb.nr_regions);

	for (uint32_t i = 1; i < nr; i++) {
		const struct sb_region_media *entry = &pool->sb.regions[i];
		struct pool_region *region = &pool->regions[i];
		int r = region_open(pool, i, args, err);

		if (r < 0)
			return r;
		region->start_pfn = (uint32_t)le64_to_cpu(entry->start_pfn);
		region->nr_pages =
			(uint32_t)MIN(le64_to_cpu(entry->nr_pages), pool->nr_pages - le64_to_cpu(entry->start_pfn));
		region->has_header = true;
		atomic_store(&pool->nr_regions, i + 1);
	}
	return 0;
}

void
regions_close(struct prmem_pool *pool)
{
	for (unsigned int i = 1; i < atomic_load(&pool->nr_regions); i++) {
		struct pool_region *region = &pool->regions[i];

		if (region->pm != NULL)
			region->pm->ops->close(region->pm);
		if (region->file != NULL) {
			owner_lock_release(region->file->lock);
			free(region->file);
		}
	}
}

int
prmem_region_info(struct prmem_pool *pool, unsigned int number, struct prmem_region_info *ret_info, size_t info_bytes)
{
	struct prmem_region_info info = {0};
	const struct sb_region_media *entry = &pool->sb.regions[number];

	LOCK_FOR_SCOPE(&pool->sb_lock);
	if (number >= le32_to_cpu(pool->sb.nr_regions))
		return -ENOENT;
	info.start_page = le64_to_cpu(entry->start_pfn);
	info.nr_pages = le64_to_cpu(entry->nr_pages);
	uuid_format(number == 0 ? pool->sb.uuid : entry->uuid, info.uuid);
	snprintf(info.path, sizeof info.path, "%.*s", (int)sizeof entry->path, entry->path);
	if (number == 0)
		snprintf(info.path, sizeof info.path, "%s", pool->path);
	else
		info.is_missing = true;
	for (unsigned int i = 1; i < atomic_load(&pool->nr_regions); i++) {
		const struct pool_region *region = &pool->regions[i];

		if (region->has_header && region->start_pfn == info.start_page && region->pm != NULL) {
			info.is_missing = false;
			if (region->file != NULL)
				snprintf(info.path, sizeof info.path, "%s", region->file->path);
		}
	}
	sized_fill(ret_info, info_bytes, &info, sizeof info);
	return 0;
}
