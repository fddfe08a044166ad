/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An open pool: what every floor asks of it.
 */
#include "prmem/core/pool.h"

#include "common/mix64.h"

bool
pool_pfn_of(const struct prmem_pool *pool, const void *addr, uint32_t *ret_pfn)
{
	for (unsigned int i = 0; i < pool->nr_regions; i++) {
		const struct pool_region *r = &pool->regions[i];
		uint64_t pages_in;

		if (r->pm == NULL)
			continue;
		/* Unsigned: an address below the region gives a number beyond it. */
		pages_in = ((uintptr_t)addr - (uintptr_t)r->pm->base) >> PRMEM_PAGE_SHIFT;

		if (pages_in < r->nr_pages) {
			*ret_pfn = r->start_pfn + (uint32_t)pages_in;
			return true;
		}
	}
	return false;
}

uint64_t
pool_lineage(const struct prmem_pool *pool, uint64_t origin)
{
	/* Both steps are bijections: two origins of a pool never have one lineage. */
	return mix64(pool->uuid_mix ^ mix64(origin));
}
