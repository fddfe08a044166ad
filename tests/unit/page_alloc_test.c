/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking, retiring and giving back pages, by one thread. */
#include <errno.h>

#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_internal.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/notice.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"
#include "xarray/xa_rcu.h"

#define NR_FIXED 3

/* One page, checked for what holds for every page handed out. */
static int
take_one(struct prmem_pool *pool, enum page_use use, uint32_t *ret_pfn)
{
	int r = page_take(pool->pages, use, 1, ret_pfn);

	if (r == 0) {
		CHECK(*ret_pfn < pool->nr_pages);
		CHECK(!pool_is_fixed_page(pool, *ret_pfn));
		CHECK(page_is_marked(pool->pages, *ret_pfn));
		CHECK(fake_pool_is_backed(pool, *ret_pfn));
	}
	return r;
}

/* Take single pages until there are no more.  Return: how many. */
static uint32_t
take_all(struct prmem_pool *pool, enum page_use use, uint32_t *pfns)
{
	uint32_t n = 0;
	int r;

	while ((r = take_one(pool, use, &pfns[n])) == 0)
		n++;
	CHECK_EQ(r, -ENOSPC);
	return n;
}

static void
mark_finds_what_is_reached_twice(void)
{
	struct prmem_pool *pool = fake_pool_new(1024, true);

	CHECK(page_mark(pool->pages, 100, 1));
	CHECK(!page_mark(pool->pages, 100, 1));
	CHECK(page_mark(pool->pages, 101, 1));
	CHECK(page_mark(pool->pages, 256, 256));
	CHECK(!page_mark(pool->pages, 511, 2));
	CHECK(page_is_marked(pool->pages, 512)); /* all of it is marked, also when a part was before */
	CHECK(page_mark(pool->pages, 1023, 1));
	CHECK(!page_mark(pool->pages, 1023, 1));
	CHECK(!page_mark(pool->pages, 1024, 1));
	CHECK(!page_mark(pool->pages, 1020, 5)); /* beyond the pool: nothing is marked */
	CHECK(!page_is_marked(pool->pages, 1020));
	CHECK(!page_mark(pool->pages, UINT32_MAX, UINT32_MAX));
	CHECK(!page_mark(pool->pages, SB_PFN_A, 1));
	CHECK(!page_mark(pool->pages, SB_PFN_OWNER, 1));
	CHECK(!page_mark(pool->pages, SB_PFN_B, 1));
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), 1024 - NR_FIXED - 2 - 257 - 1);
	fake_pool_destroy(pool);
}

static void
small_pool_is_usable_to_its_last_page(void)
{
	struct prmem_pool *pool = fake_pool_start(64, true);
	uint32_t pfns[64];
	uint64_t seen = UINT64_C(1) << SB_PFN_A | UINT64_C(1) << SB_PFN_OWNER | UINT64_C(1) << SB_PFN_B;
	uint32_t n;

	pool->pages->patience_ns = 1000000;
	n = take_all(pool, PAGE_USE_NEW, pfns);
	CHECK_EQ(n, 64 - NR_FIXED - 2); /* all but what is kept back */
	n += take_all(pool, PAGE_USE_REPLACE, pfns + n);
	CHECK_EQ(n, 64 - NR_FIXED);
	for (uint32_t i = 0; i < n; i++) {
		CHECK((seen >> pfns[i] & 1) == 0);
		seen |= UINT64_C(1) << pfns[i];
	}
	CHECK_EQ(seen, ~UINT64_C(0));
	CHECK_EQ(fake_pool_nr_free(pool), 0);
	page_untake(pool->pages, pfns, n);
	CHECK_EQ(fake_pool_nr_free(pool), 64 - NR_FIXED);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, n - 2, pfns), 0);
	fake_pool_destroy(pool);
}

/* P7: what is there can be overwritten in a full pool, for ever. */
static void
full_pool_can_be_overwritten(void)
{
	static const struct {
		uint32_t nr_pages;
		bool is_pmem;
	} pools[] = {{64, true}, {64, false}, {1000, true}, {1000, false}, {5000, true}, {70000, true}, {70000, false}};

	for (size_t p = 0; p < ARRAY_SIZE(pools); p++) {
		struct prmem_pool *pool = fake_pool_start(pools[p].nr_pages, pools[p].is_pmem);
		uint32_t *pfns = calloc(pools[p].nr_pages, sizeof *pfns);
		uint32_t n = take_all(pool, PAGE_USE_NEW, pfns);
		struct page_numbers numbers;

		page_numbers(pool->pages, &numbers);
		CHECK_EQ(numbers.nr_free, numbers.nr_kept_back);
		CHECK_EQ(numbers.nr_kept_back, pool->pages->kept_back);
		for (uint32_t i = 0; i < 5000; i++) {
			uint32_t pfn, victim = (uint32_t)(unit_random() % n);

			CHECK_EQ(take_one(pool, PAGE_USE_REPLACE, &pfn), 0);
			page_retire(pool->pages, pfns[victim], 0);
			pfns[victim] = pfn;
			CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfn), -ENOSPC);
		}
		CHECK_EQ(page_reclaim(pool->pages), 0);
		CHECK_EQ(fake_pool_nr_free(pool), numbers.nr_free);
		for (uint32_t i = 0; i < n; i++)
			page_retire(pool->pages, pfns[i], 0);
		CHECK_EQ(page_reclaim(pool->pages), 0);
		CHECK_EQ(fake_pool_nr_free(pool), pools[p].nr_pages - NR_FIXED);
		CHECK_EQ(take_all(pool, PAGE_USE_NEW, pfns), n);
		free(pfns);
		fake_pool_destroy(pool);
	}
}

static void
big_requests_are_consecutive(void)
{
	struct prmem_pool *pool = fake_pool_start(65536, true);
	uint32_t pfns[256], one;

	for (unsigned int i = 0; i < 100; i++) {
		CHECK_EQ(take_one(pool, PAGE_USE_NEW, &one), 0);
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 256, pfns), 0);
		for (uint32_t j = 1; j < 256; j++)
			CHECK_EQ(pfns[j], pfns[0] + j);
	}
	fake_pool_destroy(pool);
}

/* Pieces of every length, in a bitmap with holes of every length. */
static void
pieces_are_found_wherever_they_are(void)
{
	for (uint32_t len = 2; len <= 512; len += 1 + len / 7) {
		struct prmem_pool *pool = fake_pool_new(4096, true);
		uint32_t at = 512 + (uint32_t)(unit_random() % (512 - len + 1)), pfns[512];

		/* Everything is in use but one piece, and every other page of the rest. */
		for (uint32_t pfn = 0; pfn < 4096; pfn++) {
			if (!(pfn >= at && pfn < at + len) &&
			    (pfn % 2 == 0 || pfn == at - 1 || pfn == at + len || pfn / 512 == 1))
				page_mark(pool->pages, pfn, 1);
		}
		CHECK_EQ(page_alloc_start(pool->pages), 0);
		CHECK_EQ(ready_more(pool->pages, 4096, atomic_load(&pool->pages->ready_seq)), 0);
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, len, pfns), 0);
		for (uint32_t j = 0; j < len; j++)
			CHECK_EQ(pfns[j], at + j);
		fake_pool_destroy(pool);
	}
}

static void
promises_are_kept(void)
{
	struct prmem_pool *pool = fake_pool_start(1024, true);
	uint64_t room = 1024 - NR_FIXED - pool->pages->kept_back;
	uint32_t pfns[1024], n;
	struct page_numbers numbers;

	CHECK_EQ(page_promise(pool->pages, room + 1), -ENOSPC);
	CHECK_EQ(page_promise(pool->pages, UINT64_MAX / 2), -ENOSPC);
	CHECK_EQ(page_promise(pool->pages, 500), 0);
	n = take_all(pool, PAGE_USE_NEW, pfns);
	CHECK_EQ(n, room - 500);
	CHECK_EQ(page_promise(pool->pages, 1), -ENOSPC);
	for (unsigned int i = 0; i < 500; i++)
		CHECK_EQ(take_one(pool, PAGE_USE_PROMISED, &pfns[n++]), 0);
	page_numbers(pool->pages, &numbers);
	CHECK_EQ(numbers.nr_promised, 0);
	CHECK_EQ(take_one(pool, PAGE_USE_PROMISED, &pfns[n]), -ENOSPC);
	/* A page of the disk is trimmed: it is promised again, and nobody else gets it. */
	page_repromise(pool->pages, 1);
	page_retire(pool->pages, pfns[--n], 0);
	CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfns[n]), -ENOSPC);
	CHECK_EQ(take_one(pool, PAGE_USE_PROMISED, &pfns[n++]), 0);
	page_repromise(pool->pages, 1);
	page_retire(pool->pages, pfns[--n], 0);
	page_unpromise(pool->pages, 1);
	page_unpromise(pool->pages, 1000);
	CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfns[n++]), 0);
	fake_pool_destroy(pool);
}

static void
loan_keeps_a_retired_page(void)
{
	struct prmem_pool *pool = fake_pool_start(64, true);
	uint32_t pfns[64], n = take_all(pool, PAGE_USE_NEW, pfns), pfn, borrowed = pfns[7];

	CHECK_EQ(page_refs_add(pool->refs, (uint64_t)borrowed * 64), 0);
	page_retire(pool->pages, borrowed, 0);
	CHECK_EQ(fake_pool_nr_free(pool), 3);
	/* It is counted, is not there, and does not come: that request fails, and the count is right again. */
	CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfn), 0);
	CHECK(pfn != borrowed);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), 1);
	CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfn), -ENOSPC);
	/* The borrower is the last owner and frees. */
	CHECK(page_refs_drop(pool->refs, (uint64_t)borrowed * 64));
	page_free_now(pool->pages, borrowed, 1);
	CHECK_EQ(fake_pool_nr_free(pool), 2);

	/* All that is kept back is claimed, and one of the pages is borrowed: a shortfall. */
	pool->pages->patience_ns = 1000000;
	CHECK_EQ(page_refs_add(pool->refs, (uint64_t)pfns[8] * 64), 0);
	page_retire(pool->pages, pfns[8], 0);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 3, pfns), -ENOSPC);
	CHECK_EQ(fake_pool_nr_free(pool), 2);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_REPLACE, 2, pfns), 0);
	CHECK_EQ(fake_pool_nr_free(pool), 0);
	CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
	(void)n;
	fake_pool_destroy(pool);
}

/* Pages that come pay for a shortfall first: nobody may claim what is not there. */
static void
shortfall_is_paid_first(void)
{
	struct prmem_pool *pool = fake_pool_start(64, true);
	uint64_t all = fake_pool_nr_free(pool);

	account_lose(pool->pages, all + 2);
	CHECK_EQ(fake_pool_nr_free(pool), 0);
	CHECK_EQ(atomic_load(&pool->pages->shortfall), 2);
	account_add(pool->pages, 1);
	CHECK_EQ(fake_pool_nr_free(pool), 0);
	account_add(pool->pages, all + 1);
	CHECK_EQ(fake_pool_nr_free(pool), all);
	CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
	fake_pool_destroy(pool);
}

static void
bad_pages_are_not_handed_out(void)
{
	struct prmem_pool *pool = fake_pool_start(65536, true);
	uint32_t *pfns = calloc(65536, sizeof *pfns), n, used, cached;
	struct page_numbers numbers;

	CHECK_EQ(take_one(pool, PAGE_USE_NEW, &used), 0);
	cached = lane_mine(pool->pages)->cache[0];
	page_set_bad(pool->pages, used);
	page_set_bad(pool->pages, used);
	page_set_bad(pool->pages, cached);
	page_set_bad(pool->pages, 500); /* free, ready */
	page_set_bad(pool->pages, 60000); /* free, not ready */
	page_set_bad(pool->pages, 70000); /* beyond */
	for (uint32_t pfn = 50000; pfn > 49000; pfn--)
		page_set_bad(pool->pages, pfn);
	page_retire(pool->pages, used, 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	page_numbers(pool->pages, &numbers);
	CHECK_EQ(numbers.nr_bad, 1004);
	CHECK_EQ(numbers.nr_free, 65536 - NR_FIXED - 1004);
	n = take_all(pool, PAGE_USE_NEW, pfns);
	CHECK_EQ(n, numbers.nr_free - numbers.nr_kept_back);
	for (uint32_t i = 0; i < n; i++) {
		CHECK(pfns[i] != used && pfns[i] != cached && pfns[i] != 500 && pfns[i] != 60000);
		CHECK(!(pfns[i] > 49000 && pfns[i] <= 50000));
	}
	free(pfns);
	fake_pool_destroy(pool);
}

/* A write met bad memory in the page it took, and gives it back. */
static void
bad_page_is_not_put_aside_for_the_next(void)
{
	struct prmem_pool *pool = fake_pool_start(65536, true);
	uint32_t bad, pfn;

	CHECK_EQ(take_one(pool, PAGE_USE_NEW, &bad), 0);
	page_set_bad(pool->pages, bad);
	page_untake(pool->pages, &bad, 1);
	CHECK_EQ(fake_pool_nr_free(pool), 65536 - NR_FIXED - 1);
	for (unsigned int i = 0; i < 1000; i++) {
		CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfn), 0);
		CHECK(pfn != bad);
	}
	fake_pool_destroy(pool);
}

static void
bad_page_met_during_the_mark(void)
{
	struct prmem_pool *pool = fake_pool_new(1024, true);
	uint32_t pfns[1024], n;

	page_set_bad(pool->pages, 500);
	page_set_bad(pool->pages, 501);
	CHECK(page_mark(pool->pages, 500, 1)); /* it is still what a slot names, once */
	CHECK_EQ(page_alloc_start(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), 1024 - NR_FIXED - 2);
	page_retire(pool->pages, 500, 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), 1024 - NR_FIXED - 2);
	n = take_all(pool, PAGE_USE_NEW, pfns);
	for (uint32_t i = 0; i < n; i++)
		CHECK(pfns[i] != 500 && pfns[i] != 501);
	fake_pool_destroy(pool);
}

/* Two slots name one page, and one of them is damaged: it must not be counted, or handed out, twice. */
static void
page_given_back_twice_counts_once(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_pool_start(1024, is_pmem);
		uint32_t pfn;

		CHECK_EQ(take_one(pool, PAGE_USE_NEW, &pfn), 0);
		page_retire(pool->pages, pfn, 0);
		page_retire(pool->pages, pfn, 0);
		page_retire(pool->pages, SB_PFN_B, 0);
		page_retire(pool->pages, UINT32_MAX, 0);
		page_retire(pool->pages, 1000, 5);
		page_retire(pool->pages, 0, 99);
		CHECK_EQ(page_reclaim(pool->pages), 0);
		page_free_now(pool->pages, pfn, 1);
		CHECK_EQ(page_reclaim(pool->pages), 0);
		CHECK_EQ(fake_pool_nr_free(pool), 1024 - NR_FIXED);
		CHECK(page_is_marked(pool->pages, SB_PFN_B));
		fake_pool_destroy(pool);
	}
}

static void
read_only_pool_hands_out_nothing(void)
{
	struct prmem_pool *pool = fake_pool_start(1024, true);
	uint32_t pfn;

	pool_set_read_only(pool, "a test");
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &pfn), -EROFS);
	CHECK_EQ(page_take_run(pool->pages, 3, &pfn), -EROFS);
	fake_pool_destroy(pool);
}

static void
nothing_is_the_easiest_request(void)
{
	struct prmem_pool *pool = fake_pool_start(64, true);
	uint32_t pfns[64];

	take_all(pool, PAGE_USE_NEW, pfns);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 0, pfns), 0);
	fake_pool_destroy(pool);
}

/* Anything in any order: no page is owned twice, and the numbers are exact at the end. */
static void
random_requests_never_overlap(void)
{
	struct prmem_pool *pool = fake_pool_new_regions(9000, 3001, unit_random() % 2);
	bool *own = calloc(pool->nr_pages, sizeof *own);
	uint32_t *held = calloc(pool->nr_pages, sizeof *held), nr_held = 0, pfns[600];
	uint64_t nr_all = pool->nr_pages - NR_FIXED - 1;

	CHECK_EQ(page_alloc_start(pool->pages), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		uint32_t nr = 1 + (uint32_t)(unit_random() % (unit_random() % 8 == 0 ? 600 : 4)), n;
		enum page_use use = unit_random() % 2 ? PAGE_USE_NEW : PAGE_USE_REPLACE;

		if (unit_random() % 100 < (i / 2000 % 2 ? 45u : 55u)) {
			if (use == PAGE_USE_REPLACE && fake_pool_nr_free(pool) < nr)
				continue;
			if (page_take(pool->pages, use, nr, pfns) < 0) {
				CHECK(use == PAGE_USE_NEW && fake_pool_nr_free(pool) < nr + pool->pages->kept_back);
				continue;
			}
			for (uint32_t j = 0; j < nr; j++) {
				CHECK(!own[pfns[j]] && !pool_is_fixed_page(pool, pfns[j]));
				CHECK(fake_pool_is_backed(pool, pfns[j]));
				own[pfns[j]] = true;
				held[nr_held++] = pfns[j];
			}
			continue;
		}
		for (n = 0; n < nr && nr_held > 0; n++) {
			uint32_t at = (uint32_t)(unit_random() % nr_held);

			pfns[n] = held[at];
			own[pfns[n]] = false;
			held[at] = held[--nr_held];
		}
		if (unit_random() % 4 == 0) {
			page_untake(pool->pages, pfns, n);
			continue;
		}
		for (uint32_t j = 0; j < n; j++)
			page_retire(pool->pages, pfns[j], 0);
		if (unit_random() % 64 == 0)
			CHECK_EQ(page_sync(pool->pages), 0);
	}
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), nr_all - nr_held);
	CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
	free(own);
	free(held);
	fake_pool_destroy(pool);
}

UNIT_MAIN(CASE(mark_finds_what_is_reached_twice), CASE(small_pool_is_usable_to_its_last_page),
	  CASE(full_pool_can_be_overwritten), CASE(big_requests_are_consecutive),
	  CASE(pieces_are_found_wherever_they_are), CASE(promises_are_kept), CASE(loan_keeps_a_retired_page),
	  CASE(shortfall_is_paid_first), CASE(bad_pages_are_not_handed_out),
	  CASE(bad_page_is_not_put_aside_for_the_next), CASE(bad_page_met_during_the_mark),
	  CASE(page_given_back_twice_counts_once), CASE(read_only_pool_hands_out_nothing),
	  CASE(nothing_is_the_easiest_request), CASE(random_requests_never_overlap))
