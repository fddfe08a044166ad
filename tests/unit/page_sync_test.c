/* SPDX-License-Identifier: BSD-3-Clause */
/* Page cache: what was replaced since the last sync is not reused before the next. */
#include <errno.h>
#include <pthread.h>

#include "prmem/alloc/page_internal.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"

#define NR_PAGES 1024u

static void
retired_page_waits_for_the_sync(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	bool retired[NR_PAGES] = {false};
	uint32_t old[100], pfn, nr = 0;

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 100, old), 0);
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_syncs(pool), 1);
	for (unsigned int i = 0; i < 100; i++) {
		page_retire(pool->pages, old[i], 0);
		retired[old[i]] = true;
	}
	/* Everything else goes first, and the take that finds nothing else syncs. */
	while (page_take(pool->pages, PAGE_USE_NEW, 1, &pfn) == 0) {
		CHECK(!retired[pfn] || fake_pool_nr_syncs(pool) == 2);
		nr++;
	}
	CHECK_EQ(fake_pool_nr_syncs(pool), 2);
	CHECK_EQ(nr, NR_PAGES - 3 - pool->pages->kept_back);
	fake_pool_destroy(pool);
}

/* Retired while a sync is under way: the sync may have written the old slot, so the page waits on. */
static struct prmem_pool *hook_pool;
static uint32_t hook_pfn;

static void
retire_inside(void *opaque)
{
	(void)opaque;
	fake_pm_of(hook_pool, 0)->on_sync = NULL;
	page_retire(hook_pool->pages, hook_pfn, 0);
	CHECK(reclaim_lanes(hook_pool->pages));
}

static void
retired_during_a_sync_waits_for_the_next(void)
{
	struct prmem_pool *pool = hook_pool = fake_pool_start(NR_PAGES, false);

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &hook_pfn), 0);
	fake_pm_of(pool, 0)->on_sync = retire_inside;
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK(page_is_marked(pool->pages, hook_pfn));
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK(!page_is_marked(pool->pages, hook_pfn));
	fake_pool_destroy(pool);
}

static void
given_back_without_a_slot_needs_no_sync(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	uint32_t pfns[NR_PAGES], nr = NR_PAGES - 3 - (uint32_t)pool->pages->kept_back;

	for (unsigned int i = 0; i < 3; i++) {
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, nr, pfns), 0);
		page_untake(pool->pages, pfns, nr);
	}
	CHECK_EQ(fake_pool_nr_syncs(pool), 0);
	fake_pool_destroy(pool);
}

static void
failed_sync_is_final(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	struct fake_pm *fake = fake_pm_of(pool, 0);
	uint32_t old, pfn;

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &old), 0);
	page_retire(pool->pages, old, 0);
	CHECK(reclaim_lanes(pool->pages));
	atomic_store(&fake->sync_error, -EIO);
	CHECK_EQ(page_sync(pool->pages), -EIO);
	CHECK(pool_is_read_only(pool));
	CHECK(strstr(pool->read_only_why, "Input/output error") != NULL);
	/* The kernel reports it once; we remember. */
	atomic_store(&fake->sync_error, 0);
	CHECK_EQ(page_sync(pool->pages), -EIO);
	CHECK_EQ(page_reclaim(pool->pages), -EIO);
	CHECK_EQ(fake_pool_nr_syncs(pool), 1);
	CHECK(page_is_marked(pool->pages, old));
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &pfn), -EROFS);
	fake_pool_destroy(pool);
}

static void
take_that_must_sync_reports_its_failure(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	uint32_t pfns[NR_PAGES], nr = NR_PAGES - 3 - (uint32_t)pool->pages->kept_back;
	struct page_numbers before, after;

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, nr, pfns), 0);
	for (uint32_t i = 0; i < nr; i++)
		page_retire(pool->pages, pfns[i], 0);
	CHECK_EQ(page_promise(pool->pages, nr), 0);
	page_numbers(pool->pages, &before);
	atomic_store(&fake_pm_of(pool, 0)->sync_error, -EIO);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_PROMISED, nr, pfns), -EIO);
	page_numbers(pool->pages, &after);
	CHECK_EQ(after.nr_free, before.nr_free);
	CHECK_EQ(after.nr_promised, nr);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, nr, pfns), -EROFS);
	fake_pool_destroy(pool);
}

static void
persistent_memory_needs_no_sync(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, true);
	uint32_t pfn;

	for (unsigned int i = 0; i < 5000; i++) {
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &pfn), 0);
		page_retire(pool->pages, pfn, 0);
	}
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK(page_sync_done(pool->pages, page_sync_needed(pool->pages)));
	CHECK_EQ(fake_pool_nr_syncs(pool), 0);
	fake_pool_destroy(pool);
}

static void
sync_covers_what_was_numbered_before_it(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);
	uint64_t seq = page_sync_needed(pool->pages);

	CHECK(!page_sync_done(pool->pages, seq));
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK(page_sync_done(pool->pages, seq));
	CHECK(!page_sync_done(pool->pages, page_sync_needed(pool->pages)));
	fake_pool_destroy(pool);
}

/* Who waits while a sync is under way shares the next one with all others who wait. */
#define NR_WAITERS 3

static pthread_t waiters[NR_WAITERS];
static atomic_uint nr_entered;

static void *
wait_for_sync(void *opaque)
{
	struct prmem_pool *pool = opaque;

	atomic_fetch_add(&nr_entered, 1);
	CHECK_EQ(page_sync(pool->pages), 0);
	return NULL;
}

static void
let_others_come(void *opaque)
{
	struct timespec moment = {0, 100000000};

	fake_pm_of(opaque, 0)->on_sync = NULL;
	for (unsigned int i = 0; i < NR_WAITERS; i++)
		CHECK_EQ(pthread_create(&waiters[i], NULL, wait_for_sync, opaque), 0);
	while (atomic_load(&nr_entered) < NR_WAITERS)
		sched_yield();
	nanosleep(&moment, NULL);
}

static void
waiting_syncs_are_done_as_one(void)
{
	struct prmem_pool *pool = fake_pool_start(NR_PAGES, false);

	fake_pm_of(pool, 0)->on_sync = let_others_come;
	fake_pm_of(pool, 0)->opaque = pool;
	CHECK_EQ(page_sync(pool->pages), 0);
	for (unsigned int i = 0; i < NR_WAITERS; i++)
		CHECK_EQ(pthread_join(waiters[i], NULL), 0);
	/* The first one covers none of them. */
	CHECK(fake_pool_nr_syncs(pool) >= 2);
	CHECK(fake_pool_nr_syncs(pool) < 1 + NR_WAITERS);
	fake_pool_destroy(pool);
}

UNIT_MAIN(CASE(retired_page_waits_for_the_sync), CASE(retired_during_a_sync_waits_for_the_next),
	  CASE(given_back_without_a_slot_needs_no_sync), CASE(failed_sync_is_final),
	  CASE(take_that_must_sync_reports_its_failure), CASE(persistent_memory_needs_no_sync),
	  CASE(sync_covers_what_was_numbered_before_it), CASE(waiting_syncs_are_done_as_one))
