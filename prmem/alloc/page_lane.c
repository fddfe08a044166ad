/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes: what a thread has at hand, so that threads do not meet at the bitmap
 * for every page.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/core/pool.h"

/* A thread's lane in every pool; 0 is none yet.  Threads beyond NR_LANES share. */
static _Thread_local unsigned int thread_lane __attribute__((tls_model("initial-exec")));
static atomic_uint next_lane;

/* What this thread will most likely be given next. */
static _Thread_local uint32_t thread_next_pfn __attribute__((tls_model("initial-exec")));

int
lanes_init(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < NR_LANES; i++) {
		struct lane *lane = &alloc->lanes[i];

		pthread_mutex_init(&lane->lock, NULL);
		lane->cache = calloc(2 * alloc->batch, sizeof *lane->cache);
		lane->retired = calloc(alloc->retired_max, sizeof *lane->retired);
		if (lane->cache == NULL || lane->retired == NULL)
			return -ENOMEM;
	}
	return 0;
}

void
lanes_fini(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < NR_LANES; i++) {
		free(alloc->lanes[i].cache);
		free(alloc->lanes[i].retired);
		pthread_mutex_destroy(&alloc->lanes[i].lock);
	}
}

struct lane *
lane_mine(struct page_alloc *alloc)
{
	if (UNLIKELY(thread_lane == 0))
		thread_lane = atomic_fetch_add_explicit(&next_lane, 1, memory_order_relaxed) % NR_LANES + 1;
	return &alloc->lanes[thread_lane - 1];
}

uint32_t
lane_pop(struct lane *lane, uint32_t nr, uint32_t *pfns)
{
	uint32_t n;

	LOCK_FOR_SCOPE(&lane->lock);
	n = MIN(nr, lane->nr_cached);
	for (uint32_t i = 0; i < n; i++)
		pfns[i] = lane->cache[--lane->nr_cached];
	if (lane->nr_cached > 0)
		thread_next_pfn = lane->cache[lane->nr_cached - 1];
	return n;
}

void
page_prefetch_next(struct page_alloc *alloc)
{
	/* Of another pool, perhaps, or taken by another thread by now: a prefetch changes nothing. */
	__builtin_prefetch(pool_page(alloc->pool, thread_next_pfn));
}

/* How many pages a lane may lay aside: few when few are left, for others want them too. */
static uint32_t
nr_ahead(struct page_alloc *alloc)
{
	uint64_t nr_free = account_free(atomic_load_explicit(&alloc->account, memory_order_relaxed));

	return (uint32_t)MIN(alloc->batch, nr_free / (4 * NR_LANES));
}

uint32_t
lane_refill(struct page_alloc *alloc, struct lane *lane, uint32_t nr, uint32_t *pfns)
{
	uint32_t buf[LANE_BATCH_MAX], n, more;

	/* The lane's lock all the way, so that page_set_bad() finds a page in one place or the other. */
	LOCK_FOR_SCOPE(&lane->lock);
	pthread_mutex_lock(&alloc->bitmap_lock);
	n = bitmap_take_locked(alloc, &lane->cursor, nr, pfns);
	more = nr < alloc->batch ? MIN(nr_ahead(alloc), 2 * alloc->batch - lane->nr_cached) : 0;
	if (n == nr && more > 0)
		/* They go one by one: to search for neighbours in a fragmented pool would cost more than it gives. */
		more = bitmap_take_any_locked(alloc, &lane->cursor, more, buf);
	else
		more = 0;
	pthread_mutex_unlock(&alloc->bitmap_lock);
	if (more > 0)
		thread_next_pfn = buf[0];
	/* The last one first, so that they are popped in their order. */
	while (more > 0)
		lane->cache[lane->nr_cached++] = buf[--more];
	return n;
}

void
lane_put(struct page_alloc *alloc, struct lane *lane, const uint32_t *pfns, uint32_t nr)
{
	pthread_mutex_lock(&lane->lock);
	/* A bad page must not get into the cache: page_set_bad() may have looked there already. */
	if (nr <= 2 * alloc->batch - lane->nr_cached && LIKELY(atomic_load(&alloc->nr_bad) == 0)) {
		while (nr > 0)
			lane->cache[lane->nr_cached++] = pfns[--nr];
	}
	pthread_mutex_unlock(&lane->lock);
	if (nr == 0)
		return;
	LOCK_FOR_SCOPE(&alloc->bitmap_lock);
	for (uint32_t i = 0; i < nr;) {
		uint32_t w = pfns[i] >> UNIT_SHIFT;
		uint64_t mask = 0;

		for (; i < nr && pfns[i] >> UNIT_SHIFT == w; i++)
			mask |= UINT64_C(1) << (pfns[i] % UNIT_PAGES);
		bitmap_put_word_locked(alloc, w, mask);
	}
}

uint32_t
lanes_steal(struct page_alloc *alloc, uint32_t nr, uint32_t *pfns)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < NR_LANES && n < nr; i++)
		n += lane_pop(&alloc->lanes[i], nr - n, pfns + n);
	return n;
}

void
lanes_drain(struct page_alloc *alloc)
{
	for (unsigned int i = 0; i < NR_LANES; i++) {
		struct lane *lane = &alloc->lanes[i];

		pthread_mutex_lock(&lane->lock);
		pthread_mutex_lock(&alloc->bitmap_lock);
		while (lane->nr_cached > 0)
			bitmap_put_locked(alloc, lane->cache[--lane->nr_cached]);
		pthread_mutex_unlock(&alloc->bitmap_lock);
		pthread_mutex_unlock(&lane->lock);
	}
}
