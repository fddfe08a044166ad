/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Thin files: space is taken from the file system ahead of use, in steps.
 *
 * No unit is ready at open, not even where pages are in use: what the file
 * system promised to an earlier process is asked for again when it is first
 * needed, which costs little where it was.  Units that have or had pages in use
 * come first, because there the space most likely is.
 */
#include <errno.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/core/pool.h"

/*
 * Units that a call may try in vain: the file system is full then, but what
 * is backed already may lie further on.  The next call goes on from there.
 */
#define TRIES 16u

struct piece {
	uint32_t word;
	uint32_t nr;
};

static int
ensure_error(int r)
{
	return r == -EDQUOT || r == -EFBIG || r == -ENOSPC ? -ENOSPC : -EIO;
}

/* Back pages with space; they may lie in several regions. */
static int
ensure_pages(struct prmem_pool *pool, uint64_t pfn, uint64_t end)
{
	for (unsigned int i = 0; i < pool->nr_regions; i++) {
		const struct pool_region *region = &pool->regions[i];
		uint64_t first = MAX(pfn, region->start_pfn);
		uint64_t last = MIN(end, (uint64_t)region->start_pfn + region->nr_pages);
		int r;

		if (first >= last || region->pm == NULL)
			continue;
		do {
			r = pm_ensure(region->pm, (first - region->start_pfn) << PRMEM_PAGE_SHIFT,
				      (last - first) << PRMEM_PAGE_SHIFT);
		} while (r == -EINTR);
		if (r < 0)
			return ensure_error(r);
	}
	return 0;
}

static int
ensure_units(struct page_alloc *alloc, uint32_t word, uint32_t nr)
{
	return ensure_pages(alloc->pool, (uint64_t)word << UNIT_SHIFT,
			    MIN((uint64_t)(word + nr) << UNIT_SHIFT, alloc->nr_pages));
}

/* The space is there: count the free pages of the units.  Return: how many. */
static uint64_t
set_ready(struct page_alloc *alloc, uint32_t word, uint32_t nr)
{
	uint64_t total = 0;

	pthread_mutex_lock(&alloc->bitmap_lock);
	for (uint32_t w = word; w < word + nr; w++) {
		uint64_t n = (uint64_t)__builtin_popcountll(~bitmap_word(alloc, w));

		if (unit_is_ready(alloc, w))
			continue;
		alloc->ready[w / GROUP_WORDS] |= (uint8_t)(1u << w % GROUP_WORDS);
		alloc->group_free[w / GROUP_WORDS] += (uint16_t)n;
		total += n;
	}
	alloc->nr_bitmap_free += total;
	pthread_mutex_unlock(&alloc->bitmap_lock);
	/* In this order: who finds nr_unready too low knows by the sequence to look again. */
	account_add(alloc, total);
	atomic_fetch_add(&alloc->ready_seq, 1);
	atomic_fetch_sub(&alloc->nr_unready, total);
	return total;
}

static bool
is_wanted(const struct page_alloc *alloc, uint32_t w, bool used)
{
	uint64_t bits = bitmap_word(alloc, w);

	if (unit_is_ready(alloc, w) || bits == ~UINT64_C(0))
		return false;
	return !used || bits != 0 || (alloc->was_used[w / GROUP_WORDS] >> (w % GROUP_WORDS) & 1) != 0;
}

/*
 * A piece that reaches beyond the end of a group, cut off at the end of one:
 * the next piece begins there, and what is ensured are groups, which can be
 * mapped as a whole (prmem/memory/huge.h).
 */
static uint32_t
whole_groups(uint32_t w, uint32_t nr)
{
	uint32_t end = ROUND_DOWN(w + nr, GROUP_WORDS);

	return end > w ? end - w : nr;
}

/* Find units with free pages that are not ready, @max at most, from the cursor on. */
static bool
find_units(struct page_alloc *alloc, bool used, uint32_t max, struct piece *ret_piece)
{
	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	for (uint32_t i = 0, w = alloc->ready_cursor; i < alloc->nr_words; i++, w++) {
		uint32_t nr = 1;

		if (w >= alloc->nr_words)
			w = 0;
		if (!is_wanted(alloc, w, used))
			continue;
		while (nr < max && w + nr < alloc->nr_words && is_wanted(alloc, w + nr, used))
			nr++;
		*ret_piece = (struct piece){w, whole_groups(w, nr)};
		return true;
	}
	return false;
}

static bool
find_best_units(struct page_alloc *alloc, bool used, uint32_t max, struct piece *ret_piece)
{
	if (used && atomic_exchange_explicit(&alloc->maybe_used, false, memory_order_relaxed) &&
	    find_units(alloc, true, max, ret_piece)) {
		atomic_store_explicit(&alloc->maybe_used, true, memory_order_relaxed);
		return true;
	}
	return find_units(alloc, false, max, ret_piece);
}

int
ready_more(struct page_alloc *alloc, uint64_t nr, uint64_t seq)
{
	uint64_t made = 0;
	struct piece piece;
	bool unit_by_unit = false;
	int error = -ENOSPC;

	if (atomic_load(&alloc->nr_unready) == 0)
		return atomic_load(&alloc->ready_seq) == seq ? -ENOSPC : 0;
	LOCK_FOR_SCOPE(&alloc->ready_lock);
	if (atomic_load(&alloc->ready_seq) != seq)
		return 0;
	for (unsigned int tries = 0; made < nr && tries < TRIES;) {
		uint64_t max = unit_by_unit ? 1 : MAX(DIV_ROUND_UP(nr - made, UNIT_PAGES), alloc->step_units);
		int r;

		/* A unit that fails again and again does not keep the others from their turn. */
		if (!find_best_units(alloc, tries % 2 == 0, (uint32_t)MIN(max, UINT32_MAX), &piece))
			break;
		r = ensure_units(alloc, piece.word, piece.nr);
		if (r < 0 && piece.nr > 1) {
			/* Not in one step, but perhaps the first unit alone. */
			unit_by_unit = true;
			continue;
		}
		alloc->ready_cursor = piece.word + piece.nr;
		if (r == 0) {
			made += set_ready(alloc, piece.word, piece.nr);
		} else {
			error = r;
			tries++;
		}
	}
	return made > 0 ? 0 : error;
}

int
ready_range(struct page_alloc *alloc, uint32_t pfn, uint32_t nr)
{
	uint32_t word = pfn >> UNIT_SHIFT;
	uint32_t nr_units = (uint32_t)(DIV_ROUND_UP((uint64_t)pfn + nr, UNIT_PAGES) - word);
	int r;

	LOCK_FOR_SCOPE(&alloc->ready_lock);
	r = ensure_units(alloc, word, nr_units);
	if (r == 0)
		set_ready(alloc, word, nr_units);
	return r;
}
