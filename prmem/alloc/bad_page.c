/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bad pages: never handed out again.  They stay marked, and are listed in RAM
 * so that whoever gives one back does not free it.
 */
#include "prmem/alloc/bad_page.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/core/guard.h"
#include "prmem/core/notice.h"
#include "prmem/core/pool.h"

#define BAD_FIRST 64u

/* Put a page on the list.  Return: false if it was there, or there is no memory for it. */
static bool
add_bad_locked(struct page_alloc *alloc, uint32_t pfn)
{
	uint32_t nr = atomic_load(&alloc->nr_bad), at = nr;

	if (bitmap_is_bad_locked(alloc, pfn))
		return false;
	if (nr == alloc->nr_bad_max) {
		uint32_t max = MAX(BAD_FIRST, 2 * nr);
		uint32_t *bad = realloc(alloc->bad, max * sizeof *bad);

		if (bad == NULL)
			return false;
		alloc->bad = bad;
		alloc->nr_bad_max = max;
	}
	while (at > 0 && alloc->bad[at - 1] > pfn)
		at--;
	memmove(alloc->bad + at + 1, alloc->bad + at, (nr - at) * sizeof *alloc->bad);
	alloc->bad[at] = pfn;
	atomic_store(&alloc->nr_bad, nr + 1);
	return true;
}

/* The page is free in the bitmap: mark it.  Return: was it? */
static bool
mark_free_one_locked(struct page_alloc *alloc, uint32_t pfn)
{
	uint32_t w = pfn >> UNIT_SHIFT;
	uint64_t bit = UINT64_C(1) << (pfn % UNIT_PAGES), bits = bitmap_word(alloc, w);

	if (bits & bit)
		return false;
	atomic_store_explicit(&alloc->words[w], bits | bit, memory_order_relaxed);
	if (!unit_is_ready(alloc, w)) {
		atomic_fetch_sub(&alloc->nr_unready, 1);
		return true;
	}
	alloc->group_free[w / GROUP_WORDS]--;
	alloc->nr_bitmap_free--;
	account_lose(alloc, 1);
	return true;
}

/* Take a page out of a lane's cache.  Return: was it there? */
static bool
take_out(struct page_alloc *alloc, struct lane *lane, uint32_t pfn)
{
	LOCK_FOR_SCOPE(&lane->lock);
	for (uint32_t i = 0; i < lane->nr_cached; i++) {
		if (lane->cache[i] != pfn)
			continue;
		lane->cache[i] = lane->cache[--lane->nr_cached];
		account_lose(alloc, 1);
		return true;
	}
	return false;
}

/*
 * Once the page is on the list nobody puts it into a cache or frees it; so it
 * is enough to look at each place once.
 */
void
page_set_bad(struct page_alloc *alloc, uint32_t pfn)
{
	bool found;

	if (pfn >= alloc->nr_pages)
		return;
	pthread_mutex_lock(&alloc->bitmap_lock);
	/* Before the mark is complete it is not known whether the page is in use: page_alloc_start() marks it. */
	found = !add_bad_locked(alloc, pfn) || (alloc->started && mark_free_one_locked(alloc, pfn));
	pthread_mutex_unlock(&alloc->bitmap_lock);
	for (unsigned int i = 0; i < NR_LANES && !found; i++)
		found = take_out(alloc, &alloc->lanes[i], pfn);
}

uint64_t
page_nr_bad_outside(struct page_alloc *alloc, const uint64_t *bits, uint64_t nr_words)
{
	uint64_t nr = 0;

	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	for (uint32_t i = 0; i < atomic_load(&alloc->nr_bad); i++) {
		uint32_t pfn = alloc->bad[i];

		if (pfn / 64 >= nr_words || (bits[pfn / 64] >> (pfn % 64) & 1) == 0)
			nr++;
	}
	return nr;
}

void
bad_page_note(struct prmem_pool *pool, uint32_t pfn)
{
	uint32_t i;

	if (pool_is_fixed_page(pool, pfn) || pool_page(pool, pfn) == NULL)
		return;
	page_set_bad(pool->pages, pfn);
	i = atomic_fetch_add(&pool->bad.nr, 1);
	if (i < BAD_PAGES_QUEUE)
		atomic_store(&pool->bad.pfn[i], pfn);
	pool_notice(pool, "pool %s: page %u cannot be read (bad memory); it is put aside, and what it held is lost",
		    pool->path, pfn);
}

bool
bad_page_probe(struct prmem_pool *pool, uint32_t pfn)
{
	struct guard_window window;

	if (GUARD_ENTER(&window, pool) != 0) {
		bad_page_note(pool, pfn);
		return false;
	}
	guard_at(pfn);
	/* A store, for a load is content with a hole; it stores what is there, so nothing has to become durable. */
	atomic_fetch_or_explicit((pm_slot *)pool_page(pool, pfn), 0, memory_order_relaxed);
	guard_leave();
	return true;
}
