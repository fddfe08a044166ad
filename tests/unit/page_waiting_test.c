/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Page cache: the sets of pages that wait for a sync are bounded.  A sync comes
 * by itself before they are full; when they are, pages stay where they are and
 * threads wait; after a sync that failed nobody does.
 */
#include <errno.h>
#include <pthread.h>

#include "common/cleanup.h"
#include "prmem/alloc/page_internal.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"

#define NR_PAGES 4096u
#define ROOM 64u /* of a set, in these tests: less than the pages of a lane's list and the set's spare room */
#define DEADLINE_S 120u

static uint64_t
nr_collected(struct prmem_pool *pool)
{
	return atomic_load(&pool->pages->waiting[atomic_load(&pool->pages->since)].nr_runs);
}

static uint64_t
nr_in_lanes(struct prmem_pool *pool)
{
	uint64_t nr = 0;

	for (unsigned int i = 0; i < NR_LANES; i++) {
		LOCK_FOR_SCOPE(&pool->pages->lanes[i].lock);
		nr += pool->pages->lanes[i].nr_retired;
	}
	return nr;
}

static struct prmem_pool *
pool_with_little_room(uint64_t nr_pages)
{
	struct prmem_pool *pool = fake_pool_start(nr_pages, false);

	/* Much of what could be wrong would be a thread that waits for ever. */
	alarm(DEADLINE_S);
	pool->pages->waiting_max = ROOM;
	return pool;
}

/* Take @nr pages; then every other one comes first: no two of these make a run. */
static void
take_scattered(struct prmem_pool *pool, uint32_t nr, uint32_t *pfns)
{
	uint32_t in_order[NR_PAGES];

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, nr, in_order), 0);
	CHECK_EQ(in_order[nr - 1] - in_order[0], nr - 1);
	for (uint32_t i = 0; i < nr; i++)
		pfns[i] = in_order[i < nr / 2 ? 2 * i : 2 * (i - nr / 2) + 1];
}

static void
check_free(struct prmem_pool *pool, const uint32_t *pfns, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		CHECK(!page_is_marked(pool->pages, pfns[i]));
}

static void
check_in_use(struct prmem_pool *pool, const uint32_t *pfns, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		CHECK(page_is_marked(pool->pages, pfns[i]));
}

static void
sync_comes_by_itself(void)
{
	struct prmem_pool *pool = pool_with_little_room(NR_PAGES);
	uint64_t before = fake_pool_nr_free(pool);
	uint32_t pfns[2000];

	take_scattered(pool, 2000, pfns);
	for (uint32_t i = 0; i < 2000; i++) {
		page_retire(pool->pages, pfns[i], 0);
		CHECK(nr_collected(pool) <= ROOM + WAITING_SPARE);
	}
	CHECK(fake_pool_nr_syncs(pool) >= 2000 / (ROOM + WAITING_SPARE));
	/* It is not one for every few pages. */
	CHECK(fake_pool_nr_syncs(pool) <= 2 * 2000 / ROOM);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), before);
	check_free(pool, pfns, 2000);
	fake_pool_destroy(pool);
}

static void
pages_in_a_row_take_one_place(void)
{
	struct prmem_pool *pool = pool_with_little_room(NR_PAGES);
	uint32_t pfns[3000];

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 3000, pfns), 0);
	page_retire_many(pool->pages, pfns, 3000);
	(void)reclaim_lanes(pool->pages);
	CHECK_EQ(nr_collected(pool), 1);
	CHECK_EQ(fake_pool_nr_syncs(pool), 0);
	CHECK_EQ(page_sync(pool->pages), 0);
	check_free(pool, pfns, 3000);
	CHECK_EQ(atomic_load(&pool->pages->nr_unsynced), 0);
	fake_pool_destroy(pool);
}

static void
freed_at_once_waits_for_room(void)
{
	struct prmem_pool *pool = pool_with_little_room(NR_PAGES);
	uint64_t before = fake_pool_nr_free(pool);
	uint32_t pfns[1000];

	take_scattered(pool, 1000, pfns);
	for (uint32_t i = 0; i < 1000; i++)
		page_free_now(pool->pages, pfns[i], 1);
	CHECK(fake_pool_nr_syncs(pool) >= 500 / (ROOM + WAITING_SPARE));
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), before);
	CHECK_EQ(atomic_load(&pool->pages->nr_unsynced), 0);
	check_free(pool, pfns, 1000);
	fake_pool_destroy(pool);
}

/* More is in a list than a set has room for. */
static void
reclaim_frees_all_that_was_retired(void)
{
	struct prmem_pool *pool = pool_with_little_room(NR_PAGES);
	uint64_t before = fake_pool_nr_free(pool);
	const uint32_t nr = 30 * UNIT_PAGES; /* less than half of a list */
	uint32_t pfns[30 * UNIT_PAGES];

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, nr, pfns), 0);
	/* One from each word. */
	for (uint32_t i = 0; i < nr; i += UNIT_PAGES)
		page_retire(pool->pages, pfns[i], 0);
	CHECK_EQ(nr_in_lanes(pool), 30);
	pool->pages->waiting_max = 8;
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(nr_in_lanes(pool), 0);
	CHECK_EQ(fake_pool_nr_free(pool), before - nr + 30);
	for (uint32_t i = 0; i < nr; i += UNIT_PAGES)
		CHECK(!page_is_marked(pool->pages, pfns[i]));
	fake_pool_destroy(pool);
}

/* A sync that lasts until it is told to end. */
static atomic_bool sync_began, sync_may_end;

static void
last_long(void *opaque)
{
	fake_pm_of(opaque, 0)->on_sync = NULL;
	atomic_store(&sync_began, true);
	while (!atomic_load(&sync_may_end))
		sched_yield();
}

static void *
make_long_sync(void *opaque)
{
	return (void *)(intptr_t)page_sync(((struct prmem_pool *)opaque)->pages);
}

struct retirer {
	pthread_t thread;
	struct prmem_pool *pool;
	uint32_t *pfns, nr;
	atomic_uint nr_done;
};

static void *
retire_all(void *opaque)
{
	struct retirer *job = opaque;

	for (uint32_t i = 0; i < job->nr; i++) {
		page_retire(job->pool->pages, job->pfns[i], 0);
		atomic_fetch_add(&job->nr_done, 1);
	}
	return NULL;
}

#define NR_RETIRERS 2u
#define NR_EACH 1000u
#define NR_COVERED 10u

struct long_sync {
	struct prmem_pool *pool;
	pthread_t thread;
	struct retirer jobs[NR_RETIRERS];
	uint32_t covered[NR_COVERED]; /* what the sync is for */
	uint32_t pfns[NR_RETIRERS * NR_EACH];
};

static uint32_t
nr_retired_so_far(struct long_sync *test)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < NR_RETIRERS; i++)
		nr += atomic_load(&test->jobs[i].nr_done);
	return nr;
}

/* Two threads retire more than there is room for, while a sync lasts, until both seem to wait. */
static void
begin_long_sync(struct long_sync *test)
{
	struct prmem_pool *pool = test->pool = pool_with_little_room(NR_PAGES);
	struct timespec moment = {0, 10000000};
	uint32_t nr, nr_before = 0;

	take_scattered(pool, NR_COVERED, test->covered);
	take_scattered(pool, NR_RETIRERS * NR_EACH, test->pfns);
	for (uint32_t i = 0; i < NR_COVERED; i++)
		page_free_now(pool->pages, test->covered[i], 1);
	atomic_store(&sync_began, false);
	atomic_store(&sync_may_end, false);
	fake_pm_of(pool, 0)->opaque = pool;
	fake_pm_of(pool, 0)->on_sync = last_long;
	CHECK_EQ(pthread_create(&test->thread, NULL, make_long_sync, pool), 0);
	while (!atomic_load(&sync_began))
		sched_yield();
	for (uint32_t i = 0; i < NR_RETIRERS; i++) {
		struct retirer *job = &test->jobs[i];

		job->pool = pool;
		job->pfns = test->pfns + i * NR_EACH;
		job->nr = NR_EACH;
		atomic_init(&job->nr_done, 0);
		CHECK_EQ(pthread_create(&job->thread, NULL, retire_all, job), 0);
	}
	while ((nr = nr_retired_so_far(test)) != nr_before || nr_collected(pool) < ROOM) {
		nr_before = nr;
		nanosleep(&moment, NULL);
	}
}

/* Return: how many had been retired before the sync ended. */
static uint32_t
end_long_sync(struct long_sync *test, int error)
{
	uint32_t nr_done = nr_retired_so_far(test);
	void *ret;

	atomic_store(&fake_pm_of(test->pool, 0)->sync_error, error);
	atomic_store(&sync_may_end, true);
	CHECK_EQ(pthread_join(test->thread, &ret), 0);
	CHECK_EQ((intptr_t)ret, error == 0 ? 0 : -EIO);
	for (uint32_t i = 0; i < NR_RETIRERS; i++)
		CHECK_EQ(pthread_join(test->jobs[i].thread, NULL), 0);
	return nr_done;
}

static void
who_finds_no_room_waits_for_the_sync(void)
{
	struct long_sync test;
	struct prmem_pool *pool;
	uint32_t most;

	begin_long_sync(&test);
	pool = test.pool;
	/* Nothing is free ahead of the sync. */
	check_in_use(pool, test.covered, NR_COVERED);
	check_in_use(pool, test.pfns, NR_RETIRERS * NR_EACH);
	CHECK_EQ(fake_pool_nr_syncs(pool), 0);
	CHECK(nr_collected(pool) >= ROOM);
	CHECK(nr_collected(pool) <= ROOM + WAITING_SPARE);
	most = ROOM + WAITING_SPARE + NR_RETIRERS * pool->pages->retired_max;
	CHECK(end_long_sync(&test, 0) <= most);
	CHECK(fake_pool_nr_syncs(pool) > 1);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(nr_in_lanes(pool), 0);
	CHECK_EQ(fake_pool_nr_free(pool), NR_PAGES - 3);
	CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
	check_free(pool, test.pfns, NR_RETIRERS * NR_EACH);
	fake_pool_destroy(pool);
}

static void
failed_sync_neither_hangs_nor_frees(void)
{
	struct long_sync test;
	struct prmem_pool *pool;
	uint64_t nr_kept;
	uint32_t pfn;

	begin_long_sync(&test);
	pool = test.pool;
	(void)end_long_sync(&test, -EIO);
	CHECK(pool_is_read_only(pool));
	CHECK_EQ(fake_pool_nr_syncs(pool), 1);
	CHECK_EQ(page_reclaim(pool->pages), -EIO);
	check_in_use(pool, test.covered, NR_COVERED);
	check_in_use(pool, test.pfns, NR_RETIRERS * NR_EACH);
	/* What found no room is not counted as free any more. */
	nr_kept = atomic_load(&pool->pages->nr_unsynced) + nr_in_lanes(pool);
	CHECK(nr_kept < NR_COVERED + NR_RETIRERS * NR_EACH);
	CHECK_EQ(fake_pool_nr_free(pool), NR_PAGES - 3 - NR_COVERED - NR_RETIRERS * NR_EACH + nr_kept);
	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &pfn), -EROFS);
	fake_pool_destroy(pool);
}

/* Damage: a page is given back that somebody else has, or will have, by the time of the sync. */
static void
given_back_twice_is_freed_once(void)
{
	struct prmem_pool *pool = pool_with_little_room(NR_PAGES);
	uint64_t before = fake_pool_nr_free(pool);
	uint32_t pfns[200], later[NR_PAGES], never_taken, n = 0;
	bool taken = false;

	CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 200, pfns), 0);
	for (uint32_t i = 0; i < 20; i++) {
		page_retire(pool->pages, pfns[i], 0);
		page_retire(pool->pages, pfns[i / 2], 0);
	}
	never_taken = pfns[199] + 150;
	CHECK(!page_is_marked(pool->pages, never_taken));
	page_retire(pool->pages, never_taken, 0);
	CHECK(reclaim_lanes(pool->pages));
	while (!taken) {
		CHECK_EQ(page_take(pool->pages, PAGE_USE_NEW, 1, &later[n]), 0);
		taken = later[n++] == never_taken;
	}
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK(page_is_marked(pool->pages, never_taken));
	CHECK_EQ(atomic_load(&pool->pages->nr_unsynced), 0);
	page_retire_many(pool->pages, pfns + 20, 180);
	page_retire_many(pool->pages, later, n);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), before);
	fake_pool_destroy(pool);
}

/* Both sets go along, with room for what the larger pool needs. */
static void
what_waits_survives_growing(void)
{
	const uint64_t nr_pages = UINT64_C(1) << 26; /* 256 GiB, of which nothing is used */
	struct prmem_pool *pool = pool_with_little_room(NR_PAGES);
	struct page_growth *growth;
	uint32_t pfns[120];

	take_scattered(pool, 120, pfns);
	for (uint32_t i = 0; i < 120; i++)
		page_free_now(pool->pages, pfns[i], 1);
	CHECK(atomic_load(&pool->pages->nr_unsynced) > 0);
	CHECK_EQ(page_grow_prepare(pool->pages, nr_pages, &growth), 0);
	pool->nr_pages = nr_pages;
	page_grow_commit(pool->pages, growth, NR_PAGES);
	CHECK_EQ(pool->pages->waiting_max, nr_pages / 256);
	CHECK_EQ(page_sync(pool->pages), 0);
	CHECK_EQ(atomic_load(&pool->pages->nr_unsynced), 0);
	check_free(pool, pfns, 120);
	fake_pool_destroy(pool);
}

/*
 * Threads that take and retire at random in a pool with little to spare: each
 * page that they get has seen a whole sync since it was retired.
 */
static atomic_uint nr_begun;
static _Atomic uint32_t retired_in[NR_PAGES]; /* nr_begun at that time, and 1; 0: never retired */

static void
begin_and_be_slow(void *opaque)
{
	struct timespec moment = {0, 100000};

	(void)opaque;
	atomic_fetch_add(&nr_begun, 1);
	nanosleep(&moment, NULL);
}

struct user {
	pthread_t thread;
	struct prmem_pool *pool;
	uint64_t random;
	unsigned int nr_rounds;
};

static void *
use_at_random(void *opaque)
{
	struct user *job = opaque;
	struct page_alloc *pages = job->pool->pages;
	uint32_t held[400], nr = 0;

	for (unsigned int i = 0; i < job->nr_rounds || nr > 0; i++) {
		bool take = i < job->nr_rounds && nr < ARRAY_SIZE(held) && mix64(job->random++) % 8 > nr / 50;
		uint32_t pfn, at;

		if (take && page_take(pages, PAGE_USE_NEW, 1, &pfn) == 0) {
			uint32_t seen = atomic_load(&retired_in[pfn]);

			CHECK(seen == 0 || fake_pool_nr_syncs(job->pool) >= seen);
			held[nr++] = pfn;
		} else if (nr > 0) {
			at = (uint32_t)(mix64(job->random++) % nr);
			pfn = held[at];
			held[at] = held[--nr];
			atomic_store(&retired_in[pfn], atomic_load(&nr_begun) + 1);
			if (mix64(job->random++) % 8 == 0)
				page_free_now(pages, pfn, 1);
			else
				page_retire(pages, pfn, 0);
		}
	}
	return NULL;
}

static void
no_page_is_reused_before_its_sync(void)
{
	struct prmem_pool *pool = pool_with_little_room(1024);
	struct user jobs[3];

	fake_pm_of(pool, 0)->on_sync = begin_and_be_slow;
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i] = (struct user){.pool = pool, .random = unit_random()};
		jobs[i].nr_rounds = (unsigned int)unit_rounds(20000);
		CHECK_EQ(pthread_create(&jobs[i].thread, NULL, use_at_random, &jobs[i]), 0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++)
		CHECK_EQ(pthread_join(jobs[i].thread, NULL), 0);
	CHECK(fake_pool_nr_syncs(pool) > 10);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	CHECK_EQ(fake_pool_nr_free(pool), 1024 - 3);
	CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
	CHECK_EQ(atomic_load(&pool->pages->nr_unsynced), 0);
	fake_pool_destroy(pool);
}

UNIT_MAIN(CASE(sync_comes_by_itself), CASE(pages_in_a_row_take_one_place), CASE(freed_at_once_waits_for_room),
	  CASE(reclaim_frees_all_that_was_retired), CASE(who_finds_no_room_waits_for_the_sync),
	  CASE(failed_sync_neither_hangs_nor_frees), CASE(given_back_twice_is_freed_once),
	  CASE(what_waits_survives_growing), CASE(no_page_is_reused_before_its_sync))
