/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned runs of every order. */
#include <errno.h>

#include "prmem/alloc/page_internal.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"

static void
runs_of_every_order_are_aligned(void)
{
	struct prmem_pool *pool = fake_pool_start(UINT64_C(1) << 20, true);
	uint64_t all = fake_pool_nr_free(pool), taken = 0;
	uint32_t pfns[PRMEM_ORDER_MAX + 1], pfn;

	for (unsigned int order = 0; order <= PRMEM_ORDER_MAX; order++) {
		CHECK_EQ(page_take_run(pool->pages, order, &pfns[order]), 0);
		CHECK_EQ(pfns[order] & ((1u << order) - 1), 0);
		for (uint32_t i = 0; i < 1u << order; i++)
			CHECK(page_is_marked(pool->pages, pfns[order] + i) &&
			      fake_pool_is_backed(pool, pfns[order] + i));
		taken += UINT64_C(1) << order;
		CHECK_EQ(fake_pool_nr_free(pool), all - taken);
	}
	for (unsigned int a = 0; a <= PRMEM_ORDER_MAX; a++) {
		for (unsigned int b = 0; b < a; b++)
			CHECK(pfns[b] + (1u << b) <= pfns[a] || pfns[a] + (1u << a) <= pfns[b]);
	}
	CHECK_EQ(page_take_run(pool->pages, PRMEM_ORDER_MAX + 1, &pfn), -EINVAL);
	for (unsigned int order = 0; order <= PRMEM_ORDER_MAX; order++) {
		if (order % 2)
			page_retire(pool->pages, pfns[order], order);
		else
			page_free_now(pool->pages, pfns[order], 1u << order);
	}
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), all);
	fake_pool_destroy(pool);
}

/* One free run is left; everything around it is in use. */
static void
the_only_run_is_found(void)
{
	for (unsigned int order = 1; order <= 12; order++) {
		for (unsigned int round = 0; round < 8; round++) {
			struct prmem_pool *pool = fake_pool_new(16384, true);
			uint32_t nr = 1u << order, at = ((uint32_t)(unit_random() % 16384) & ~(nr - 1)), pfn;

			if (at < 64)
				at = MAX(nr, 64);
			page_mark(pool->pages, 0, at);
			page_mark(pool->pages, at + nr, 16384 - at - nr);
			CHECK_EQ(page_alloc_start(pool->pages), 0);
			pool->pages->kept_back = 0;
			CHECK_EQ(page_take_run(pool->pages, order, &pfn), 0);
			CHECK_EQ(pfn, at);
			CHECK_EQ(page_take_run(pool->pages, 1, &pfn), -ENOSPC);
			CHECK_EQ(fake_pool_nr_free(pool), 0);
			/* It is retired: the next request waits for its grace period. */
			page_retire(pool->pages, at, order);
			CHECK_EQ(page_take_run(pool->pages, order, &pfn), 0);
			CHECK_EQ(pfn, at);
			fake_pool_destroy(pool);
		}
	}
}

static void
pages_in_lanes_are_brought_back_for_a_run(void)
{
	struct prmem_pool *pool = fake_pool_new(65536, true);
	uint32_t pfns[64], pfn;

	/* One aligned place is free, and a lane has it page by page. */
	page_mark(pool->pages, 0, 640);
	page_mark(pool->pages, 704, 65536 - 704);
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	pool->pages->kept_back = 0;
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 64, pfns), 0);
	page_untake(pool->pages, pfns, 64);
	CHECK_EQ(lane_mine(pool->pages)->nr_cached, 64);
	CHECK_EQ(page_take_run(pool->pages, 6, &pfn), 0);
	CHECK_EQ(pfn, 640);
	CHECK_EQ(fake_pool_nr_free(pool), 0);
	fake_pool_destroy(pool);
}

static void
runs_leave_alone_what_is_kept_back(void)
{
	struct prmem_pool *pool = fake_pool_start(4096, true);
	uint32_t pfn;

	while (page_take_run(pool->pages, 3, &pfn) == 0)
		;
	CHECK(fake_pool_nr_free(pool) >= pool->pages->kept_back);
	CHECK(fake_pool_nr_free(pool) < pool->pages->kept_back + 8 + 64);
	for (uint64_t i = 0; i < pool->pages->kept_back; i++)
		CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 1, &pfn), 0);
	fake_pool_destroy(pool);
}

static void
full_file_system_fails_a_run_and_nothing_is_lost(void)
{
	struct prmem_pool *pool = fake_pool_new(16384, false);
	uint64_t all;
	uint32_t pfn;

	atomic_store(&fake_pm_of(pool, 0)->nr_space, 3000);
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	all = fake_pool_nr_free(pool);
	CHECK_EQ(page_take_run(pool->pages, 11, &pfn), -ENOSPC);
	CHECK_EQ(fake_pool_nr_free(pool), all);
	CHECK_EQ(page_take_run(pool->pages, 10, &pfn), 0);
	for (uint32_t i = 0; i < 1024; i++)
		CHECK(fake_pool_is_backed(pool, pfn + i));
	CHECK_EQ(fake_pool_nr_free(pool), all - 1024);
	atomic_store(&fake_pm_of(pool, 0)->nr_space, INT64_MAX);
	CHECK_EQ(page_take_run(pool->pages, 11, &pfn), 0);
	CHECK_EQ(fake_pool_nr_free(pool), all - 1024 - 2048);
	fake_pool_destroy(pool);
}

static void
no_run_lies_in_two_regions(void)
{
	struct prmem_pool *pool = fake_pool_new_regions(1024, 1024, true);
	uint32_t pfn;

	CHECK_EQ(page_alloc_start(pool->pages), 0);
	pool->pages->kept_back = 0;
	CHECK_EQ(page_take_run(pool->pages, 11, &pfn), -ENOSPC);
	while (page_take_run(pool->pages, 6, &pfn) == 0)
		CHECK(pfn + 63 < 1024 || pfn > 1024);
	fake_pool_destroy(pool);
}

static void
random_runs_never_overlap(void)
{
	struct prmem_pool *pool = fake_pool_start(20000, unit_random() % 2);
	bool *own = calloc(20000, sizeof *own);
	struct retired held[4000];
	unsigned int nr_held = 0;
	uint64_t all = fake_pool_nr_free(pool), nr_pages = 0;

	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int order = (unsigned int)(unit_random() % 8), at;
		uint32_t pfn;

		if (unit_random() % 2 && nr_held < ARRAY_SIZE(held) && page_take_run(pool->pages, order, &pfn) == 0) {
			for (uint32_t j = 0; j < 1u << order; j++) {
				CHECK(!own[pfn + j]);
				own[pfn + j] = true;
			}
			held[nr_held++] = (struct retired){pfn, order};
			nr_pages += 1u << order;
			continue;
		}
		if (nr_held == 0)
			continue;
		at = (unsigned int)(unit_random() % nr_held);
		pfn = held[at].pfn;
		order = held[at].order;
		held[at] = held[--nr_held];
		nr_pages -= 1u << order;
		memset(own + pfn, 0, 1u << order);
		page_retire(pool->pages, pfn, order);
	}
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), all - nr_pages);
	free(own);
	fake_pool_destroy(pool);
}

UNIT_MAIN(CASE(runs_of_every_order_are_aligned), CASE(the_only_run_is_found),
	  CASE(pages_in_lanes_are_brought_back_for_a_run), CASE(runs_leave_alone_what_is_kept_back),
	  CASE(full_file_system_fails_a_run_and_nothing_is_lost), CASE(no_run_lies_in_two_regions),
	  CASE(random_runs_never_overlap))
