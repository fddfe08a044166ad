/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page allocator: making it, and starting to hand out when the mark is complete.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "prmem/alloc/page_internal.h"
#include "prmem/core/pool.h"

#define PATIENCE_NS UINT64_C(10000000000)

/* Units to try at the start for what is kept back, when a file system is full. */
#define START_TRIES 4096u

/*
 * The pages of a thread's lane count as free, and so does what is retired:
 * in a small pool there must be few of them.
 */
static void
scale(struct page_alloc *alloc)
{
	uint64_t nr = alloc->nr_pages;

	alloc->batch = (uint32_t)MAX(1, MIN(nr / 1024, LANE_BATCH_MAX));
	alloc->retired_max = (uint32_t)MAX(LANE_RETIRED_MIN, MIN(nr / 64, LANE_RETIRED_MAX));
	/* 2 of 64 pages; 16 of 4 MiB; 4 MiB from 256 MiB on. */
	alloc->kept_back = MAX(2, MIN(nr / 64, 1024));
	alloc->patience_ns = PATIENCE_NS;
	/* Steps of 4 MiB, or a sixteenth of the pool. */
	alloc->step_units = (uint32_t)MAX(1, MIN(nr / UNIT_PAGES / 16, 16));
}

static void
set_words(struct page_alloc *alloc, uint64_t pfn, uint64_t end)
{
	for (uint64_t w = pfn >> UNIT_SHIFT; w << UNIT_SHIFT < end; w++)
		atomic_fetch_or_explicit(&alloc->words[w], word_mask((uint32_t)w, pfn, end), memory_order_relaxed);
}

/* Mark what is no page that can be handed out: the end of the last group, gaps, superblocks, headers. */
static void
mark_the_rest(struct page_alloc *alloc)
{
	const struct prmem_pool *pool = alloc->pool;
	uint64_t end = 0;

	for (unsigned int i = 0; i < pool->nr_regions; i++) {
		const struct pool_region *region = &pool->regions[i];

		if (region->start_pfn > end)
			set_words(alloc, end, region->start_pfn);
		end = (uint64_t)region->start_pfn + region->nr_pages;
		if (region->pm == NULL)
			set_words(alloc, region->start_pfn, end);
		if (i > 0 && pool_is_fixed_page(pool, region->start_pfn))
			alloc->fixed[alloc->nr_fixed++] = region->start_pfn;
	}
	set_words(alloc, MIN(end, alloc->nr_pages), (uint64_t)alloc->nr_words << UNIT_SHIFT);
	for (unsigned int i = 0; i < 3; i++) {
		static const uint32_t pfns[3] = {SB_PFN_A, SB_PFN_OWNER, SB_PFN_B};

		if (pfns[i] < alloc->nr_pages && pool_is_fixed_page(pool, pfns[i]))
			alloc->fixed[alloc->nr_fixed++] = pfns[i];
	}
	for (unsigned int i = 0; i < alloc->nr_fixed; i++)
		set_words(alloc, alloc->fixed[i], (uint64_t)alloc->fixed[i] + 1);
}

static int
init_arrays(struct page_alloc *alloc)
{
	int r;

	alloc->words = calloc(alloc->nr_words, sizeof *alloc->words);
	alloc->group_free = calloc(alloc->nr_groups, sizeof *alloc->group_free);
	alloc->ready = calloc(alloc->nr_groups, sizeof *alloc->ready);
	alloc->was_used = calloc(alloc->nr_groups, sizeof *alloc->was_used);
	if (alloc->words == NULL || alloc->group_free == NULL || alloc->ready == NULL || alloc->was_used == NULL)
		return -ENOMEM;
	r = lanes_init(alloc);
	return r < 0 ? r : sync_init(alloc);
}

int
page_alloc_create(struct prmem_pool *pool, struct page_alloc **ret_alloc)
{
	struct page_alloc *alloc = aligned_alloc(_Alignof(struct page_alloc), sizeof *alloc);
	int r;

	if (alloc == NULL)
		return -ENOMEM;
	memset(alloc, 0, sizeof *alloc);
	alloc->pool = pool;
	alloc->nr_pages = pool->nr_pages;
	alloc->nr_groups = (uint32_t)DIV_ROUND_UP(pool->nr_pages, GROUP_PAGES);
	alloc->nr_words = alloc->nr_groups * GROUP_WORDS;
	scale(alloc);
	r = account_init(alloc);
	if (r < 0) {
		free(alloc);
		return r;
	}
	pthread_mutex_init(&alloc->bitmap_lock, NULL);
	pthread_mutex_init(&alloc->ready_lock, NULL);
	pthread_mutex_init(&alloc->reclaim_lock, NULL);
	pthread_mutex_init(&alloc->sync_lock, NULL);
	page_runs_init(&alloc->runs);
	r = init_arrays(alloc);
	if (r < 0) {
		page_alloc_destroy(alloc);
		return r;
	}
	mark_the_rest(alloc);
	*ret_alloc = alloc;
	return 0;
}

void
page_alloc_destroy(struct page_alloc *alloc)
{
	if (alloc == NULL)
		return;
	page_runs_fini(&alloc->runs);
	sync_fini(alloc);
	lanes_fini(alloc);
	account_fini(alloc);
	pthread_mutex_destroy(&alloc->bitmap_lock);
	pthread_mutex_destroy(&alloc->ready_lock);
	pthread_mutex_destroy(&alloc->reclaim_lock);
	pthread_mutex_destroy(&alloc->sync_lock);
	free(alloc->words);
	free(alloc->group_free);
	free(alloc->ready);
	free(alloc->was_used);
	free(alloc->bad);
	free(alloc);
}

int
page_alloc_start(struct page_alloc *alloc)
{
	uint64_t nr_free = 0;

	pthread_mutex_lock(&alloc->bitmap_lock);
	for (uint32_t i = 0; i < atomic_load(&alloc->nr_bad); i++)
		set_words(alloc, alloc->bad[i], (uint64_t)alloc->bad[i] + 1);
	for (uint32_t w = 0; w < alloc->nr_words; w++) {
		uint64_t bits = bitmap_word(alloc, w);

		nr_free += (uint64_t)__builtin_popcountll(~bits);
		if (bits != 0 && bits != ~UINT64_C(0))
			atomic_store_explicit(&alloc->maybe_used, true, memory_order_relaxed);
	}
	atomic_fetch_add(&alloc->nr_unready, nr_free);
	alloc->started = true;
	pthread_mutex_unlock(&alloc->bitmap_lock);
	if (pool_is_read_only(alloc->pool) || alloc->pool->pm->read_only)
		return 0;
	for (uint32_t tries = 0; tries < START_TRIES; tries++) {
		uint64_t seq = atomic_load(&alloc->ready_seq);
		uint64_t have = account_free(atomic_load(&alloc->account));

		if (have >= alloc->kept_back || atomic_load(&alloc->nr_unready) == 0)
			return 0;
		if (ready_more(alloc, alloc->kept_back - have, seq) == 0)
			tries = 0;
	}
	return -ENOSPC;
}

struct page_runs *
page_alloc_runs(struct page_alloc *alloc)
{
	return &alloc->runs;
}
