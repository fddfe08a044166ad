/* SPDX-License-Identifier: BSD-3-Clause */
/* What an open pool is and has. */
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/core/notice.h"
#include "prmem/core/pool.h"
#include "prmem/instance/directory.h"
#include "prmem/memory/sized.h"
#include "prmem/memory/uuid.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

void
prmem_pool_info(struct prmem_pool *pool, struct prmem_pool_info *ret_info, size_t info_bytes)
{
	struct prmem_pool_info info = {0};
	struct page_numbers numbers;

	/* The signal handler had no way to say so. */
	if (atomic_load(&pool->lost_memory))
		pool_set_read_only(pool, LOST_MEMORY_WHY);
	page_numbers(pool->pages, &numbers);
	info.size_bytes = pool->nr_pages << PRMEM_PAGE_SHIFT;
	info.nr_pages = pool->nr_pages;
	info.nr_free = numbers.nr_free;
	info.nr_kept_back = numbers.nr_kept_back;
	info.nr_reserved = numbers.nr_promised;
	info.nr_damaged = atomic_load(&pool->nr_damaged);
	info.nr_bad = numbers.nr_bad;
	info.low_space_bytes = atomic_load(&pool->low_pages) << PRMEM_PAGE_SHIFT;
	info.is_low = atomic_load(&pool->is_low);
	info.nr_instances = directory_nr_instances(pool->dir);
	info.is_pmem = pool->pm->is_pmem;
	info.read_only = pool_is_read_only(pool);
	{
		LOCK_FOR_SCOPE(&pool->sb_lock);
		info.nr_regions = le32_to_cpu(pool->sb.nr_regions);
		info.created_s = le64_to_cpu(pool->sb.created_s);
		info.version = le32_to_cpu(pool->sb.version);
		uuid_format(pool->sb.uuid, info.uuid);
		/* From media: the NUL may be missing. */
		memcpy(info.label, pool->sb.label, sizeof info.label - 1);
	}
	{
		LOCK_FOR_SCOPE(&pool->why_lock);
		memcpy(info.read_only_why, pool->read_only_why, sizeof info.read_only_why);
	}
	sized_fill(ret_info, info_bytes, &info, sizeof info);
}

const char *
prmem_version(void)
{
	return PACKAGE_VERSION;
}
