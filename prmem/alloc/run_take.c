/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Aligned runs of 2^order pages.  They are searched for in the bitmap alone;
 * what lanes hold is brought back there when nothing is found.
 */
#include <errno.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/core/pool.h"

/* Bits at the multiples of 2^order. */
static const uint64_t aligned_bits[UNIT_SHIFT] = {
	UINT64_C(0xffffffffffffffff), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
	UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
};

/* Where a run that is about to be taken comes from. */
struct found_run {
	uint32_t pfn;
	uint32_t nr;
	uint32_t nr_counted; /* its pages that the account counts */
};

static uint64_t
run_free_bits(const struct page_alloc *alloc, uint32_t w, bool ready_only)
{
	return ready_only && !unit_is_ready(alloc, w) ? 0 : ~bitmap_word(alloc, w);
}

static uint32_t
find_in_word(uint64_t bits, uint32_t w, unsigned int order)
{
	for (unsigned int i = 0; i < order; i++)
		bits &= bits >> (1u << i);
	bits &= aligned_bits[order];
	return bits == 0 ? NO_PFN : w * UNIT_PAGES + (uint32_t)__builtin_ctzll(bits);
}

static uint32_t
find_words(const struct page_alloc *alloc, uint32_t w, uint32_t nr_words, bool ready_only)
{
	for (uint32_t i = w; i < w + nr_words; i++) {
		if (run_free_bits(alloc, i, ready_only) != ~UINT64_C(0))
			return NO_PFN;
	}
	return w * UNIT_PAGES;
}

static uint32_t
find_run_locked(struct page_alloc *alloc, unsigned int order, bool ready_only)
{
	uint32_t step = order < UNIT_SHIFT ? 1 : UINT32_C(1) << (order - UNIT_SHIFT);
	uint32_t nr_steps = alloc->nr_words / step, first = alloc->run_cursor / step;

	for (uint32_t i = 0; i < nr_steps; i++) {
		uint32_t w = (first + i) % nr_steps * step, pfn;

		if (ready_only && alloc->group_free[w / GROUP_WORDS] == 0)
			continue;
		if (order < UNIT_SHIFT)
			pfn = find_in_word(run_free_bits(alloc, w, ready_only), w, order);
		else
			pfn = find_words(alloc, w, step, ready_only);
		if (pfn != NO_PFN) {
			alloc->run_cursor = w;
			return pfn;
		}
	}
	return NO_PFN;
}

/* Take a run out of the bitmap, unclaimed yet. */
static bool
take_out(struct page_alloc *alloc, unsigned int order, bool ready_only, struct found_run *ret_run)
{
	uint32_t pfn, nr = UINT32_C(1) << order, nr_counted = 0;

	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	pfn = find_run_locked(alloc, order, ready_only);
	if (pfn == NO_PFN)
		return false;
	for (uint32_t w = pfn >> UNIT_SHIFT; (uint64_t)w << UNIT_SHIFT < (uint64_t)pfn + nr; w++) {
		uint64_t mask = word_mask(w, pfn, (uint64_t)pfn + nr);
		uint32_t n = (uint32_t)__builtin_popcountll(mask);

		atomic_store_explicit(&alloc->words[w], bitmap_word(alloc, w) | mask, memory_order_relaxed);
		if (!unit_is_ready(alloc, w)) {
			atomic_fetch_sub(&alloc->nr_unready, n);
			continue;
		}
		alloc->group_free[w / GROUP_WORDS] -= (uint16_t)n;
		alloc->nr_bitmap_free -= n;
		nr_counted += n;
	}
	*ret_run = (struct found_run){pfn, nr, nr_counted};
	return true;
}

/* Put a run back that could not be claimed. */
static void
put_back(struct page_alloc *alloc, const struct found_run *run)
{
	/* Pages of units that became ready meanwhile were not counted before. */
	account_add(alloc, run->nr - run->nr_counted);
	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	/* Those of units that did not are lost to the account again in here. */
	bitmap_put_range_locked(alloc, run->pfn, run->nr);
}

static int
try_run(struct page_alloc *alloc, unsigned int order, bool ready_only, uint32_t *ret_pfn)
{
	struct found_run run;
	uint64_t drawn;
	int r = 0;

	if (!take_out(alloc, order, ready_only, &run))
		return -ENOSPC;
	if (run.nr_counted < run.nr)
		r = ready_range(alloc, run.pfn, run.nr);
	/* What was not ready before takes nothing from what others may have. */
	if (r == 0 && run.nr_counted > 0)
		r = account_claim(alloc, PAGE_USE_NEW, run.nr_counted, &drawn);
	if (r < 0)
		put_back(alloc, &run);
	else
		*ret_pfn = run.pfn;
	return r;
}

int
page_take_run(struct page_alloc *alloc, unsigned int order, uint32_t *ret_pfn)
{
	int r;

	if (order > PRMEM_ORDER_MAX)
		return -EINVAL;
	if (order == 0)
		return page_take(alloc, PAGE_USE_NEW, 1, ret_pfn);
	if (pool_is_read_only(alloc->pool))
		return -EROFS;
	for (unsigned int i = 0;; i++) {
		r = try_run(alloc, order, true, ret_pfn);
		if (r == -ENOSPC)
			r = try_run(alloc, order, false, ret_pfn);
		if (r != -ENOSPC || i > 0)
			return r;
		lanes_drain(alloc);
		r = page_reclaim(alloc);
		if (r < 0)
			return r;
	}
}
