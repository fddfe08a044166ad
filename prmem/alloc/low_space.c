/* SPDX-License-Identifier: BSD-3-Clause */
/* Saying when a pool has little room left. */
#include "prmem/alloc/low_space.h"

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/notice.h"
#include "prmem/core/pool.h"

/* Pages that somebody without a reservation may still have. */
static uint64_t
pages_left(struct prmem_pool *pool)
{
	struct page_numbers numbers;
	uint64_t taken;

	page_numbers(pool->pages, &numbers);
	taken = numbers.nr_kept_back + numbers.nr_promised;
	return numbers.nr_free > taken ? numbers.nr_free - taken : 0;
}

void
pool_check_space(struct prmem_pool *pool)
{
	uint64_t low = atomic_load(&pool->low_pages), left = pages_left(pool);
	bool was_low = atomic_load_explicit(&pool->is_low, memory_order_relaxed);

	if (low == 0 || was_low == (was_low ? left < low + low / 2 : left < low))
		return;
	/* Of several threads that see it, one tells. */
	if (!atomic_compare_exchange_strong(&pool->is_low, &was_low, !was_low))
		return;
	if (!was_low)
		pool_notice(pool, "pool %.200s: little room is left: %llu KiB; free some, or grow the pool", pool->path,
			    (unsigned long long)left << (PRMEM_PAGE_SHIFT - 10));
	else
		pool_notice(pool, "pool %.200s: there is room again: %llu KiB", pool->path,
			    (unsigned long long)left << (PRMEM_PAGE_SHIFT - 10));
}

void
prmem_set_low_space(struct prmem_pool *pool, uint64_t low_bytes)
{
	atomic_store(&pool->low_pages, DIV_ROUND_UP(low_bytes, PRMEM_PAGE_SIZE));
	if (low_bytes == 0)
		atomic_store(&pool->is_low, false);
	pool_watch_space(pool);
}
