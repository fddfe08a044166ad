/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * More pages: the bitmap and all that goes with it are replaced by longer
 * ones, under the bitmap's lock.
 *
 * What depends on the size of the pool otherwise (how many pages a lane lays
 * aside, how many are kept back) stays as it was until the pool is opened
 * again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "prmem/alloc/page_internal.h"
#include "xarray/xa_rcu.h"

struct page_growth {
	uint64_t nr_pages;
	uint32_t nr_words;
	uint32_t nr_groups;
	_Atomic uint64_t *words;
	uint16_t *group_free;
	uint8_t *ready;
	uint8_t *was_used;
	uint32_t waiting_max;
	struct waiting_run *waiting[2];
};

void
page_grow_cancel(struct page_growth *growth)
{
	if (growth == NULL)
		return;
	free(growth->words);
	free(growth->group_free);
	free(growth->ready);
	free(growth->was_used);
	for (unsigned int i = 0; i < 2; i++)
		free(growth->waiting[i]);
	free(growth);
}

static bool
allocate(struct page_growth *g, bool page_cache)
{
	g->words = calloc(g->nr_words, sizeof *g->words);
	g->group_free = calloc(g->nr_groups, sizeof *g->group_free);
	g->ready = calloc(g->nr_groups, sizeof *g->ready);
	g->was_used = calloc(g->nr_groups, sizeof *g->was_used);
	if (g->words == NULL || g->group_free == NULL || g->ready == NULL || g->was_used == NULL)
		return false;
	for (unsigned int i = 0; i < 2 && page_cache; i++) {
		g->waiting[i] = sync_new_runs(g->waiting_max);
		if (g->waiting[i] == NULL)
			return false;
	}
	return true;
}

int
page_grow_prepare(struct page_alloc *alloc, uint64_t nr_pages, struct page_growth **ret_growth)
{
	struct page_growth *growth;

	if (alloc->nr_fixed == ARRAY_SIZE(alloc->fixed))
		return -ENOSPC;
	growth = calloc(1, sizeof *growth);
	if (growth == NULL)
		return -ENOMEM;
	growth->nr_pages = nr_pages;
	growth->nr_groups = (uint32_t)DIV_ROUND_UP(nr_pages, GROUP_PAGES);
	growth->nr_words = growth->nr_groups * GROUP_WORDS;
	growth->waiting_max = sync_waiting_max(nr_pages);
	if (!allocate(growth, alloc->page_cache)) {
		page_grow_cancel(growth);
		return -ENOMEM;
	}
	*ret_growth = growth;
	return 0;
}

/* Exchange two pointers. */
#define SWAP(a, b)                                                                                                     \
	do {                                                                                                           \
		void *swap_ = (a);                                                                                     \
		(a) = (b);                                                                                             \
		(b) = swap_;                                                                                           \
	} while (0)

static void
copy_arrays(const struct page_alloc *alloc, struct page_growth *g)
{
	for (uint32_t w = 0; w < alloc->nr_words; w++)
		atomic_store_explicit(&g->words[w], bitmap_word(alloc, w), memory_order_relaxed);
	memcpy(g->group_free, alloc->group_free, alloc->nr_groups * sizeof *g->group_free);
	memcpy(g->ready, alloc->ready, alloc->nr_groups * sizeof *g->ready);
	memcpy(g->was_used, alloc->was_used, alloc->nr_groups * sizeof *g->was_used);
	for (unsigned int i = 0; i < 2 && alloc->page_cache; i++)
		memcpy(g->waiting[i], alloc->waiting[i].runs, alloc->waiting[i].nr_runs * sizeof *g->waiting[i]);
}

/*
 * Make the pages [first, g->nr_pages) free in the new bitmap, and what is
 * behind them marked.
 * Return: how many of them lie in a unit that is ready: the one that the old
 *   end was in.
 */
static uint64_t
free_new_pages(struct page_growth *g, uint64_t first, uint64_t *ret_unready)
{
	uint64_t nr_ready = 0, nr_unready = 0;

	for (uint32_t w = (uint32_t)(first >> UNIT_SHIFT); w < g->nr_words; w++) {
		uint64_t start = (uint64_t)w << UNIT_SHIFT;
		uint64_t mask = start < g->nr_pages ? word_mask(w, first, g->nr_pages) : 0;
		uint64_t bits = atomic_load_explicit(&g->words[w], memory_order_relaxed);
		bool partial = start < first;
		unsigned int n = (unsigned int)__builtin_popcountll(mask);

		if (!partial) {
			/* What is behind the last page is marked, as no page. */
			bits = ~UINT64_C(0);
			g->ready[w / GROUP_WORDS] &= (uint8_t) ~(1u << w % GROUP_WORDS);
		}
		atomic_store_explicit(&g->words[w], bits & ~mask, memory_order_relaxed);
		if ((g->ready[w / GROUP_WORDS] >> (w % GROUP_WORDS) & 1) != 0) {
			g->group_free[w / GROUP_WORDS] += (uint16_t)n;
			nr_ready += n;
		} else {
			nr_unready += n;
		}
	}
	*ret_unready = nr_unready;
	return nr_ready;
}

void
page_grow_commit(struct page_alloc *alloc, struct page_growth *growth, uint32_t first_pfn)
{
	uint64_t first = (uint64_t)first_pfn + 1, nr_ready, nr_unready;

	pthread_mutex_lock(&alloc->ready_lock);
	pthread_mutex_lock(&alloc->bitmap_lock);
	alloc->fixed[alloc->nr_fixed++] = first_pfn;
	copy_arrays(alloc, growth);
	/* The first one was marked as being behind the end, or is in a word of its own. */
	nr_ready = free_new_pages(growth, first_pfn % UNIT_PAGES == 0 ? first_pfn : first, &nr_unready);
	if (first_pfn % UNIT_PAGES == 0) {
		atomic_fetch_or(&growth->words[first_pfn >> UNIT_SHIFT], 1);
		nr_unready--;
	}
	SWAP(alloc->words, growth->words);
	SWAP(alloc->group_free, growth->group_free);
	SWAP(alloc->ready, growth->ready);
	SWAP(alloc->was_used, growth->was_used);
	for (unsigned int i = 0; i < 2 && alloc->page_cache; i++)
		SWAP(alloc->waiting[i].runs, growth->waiting[i]);
	alloc->waiting_max = growth->waiting_max;
	alloc->nr_words = growth->nr_words;
	alloc->nr_groups = growth->nr_groups;
	alloc->nr_bitmap_free += nr_ready;
	/* After the bitmap: who finds the number finds the bit. */
	atomic_store(&alloc->nr_pages, growth->nr_pages);
	atomic_fetch_add(&alloc->nr_unready, nr_unready);
	pthread_mutex_unlock(&alloc->bitmap_lock);
	account_add(alloc, nr_ready);
	atomic_fetch_add(&alloc->ready_seq, 1);
	pthread_mutex_unlock(&alloc->ready_lock);

	/* page_is_marked() looks at the bitmap under the read lock alone. */
	xa_synchronize();
	page_grow_cancel(growth);
}
