/* SPDX-License-Identifier: BSD-3-Clause */
/* The page allocator with many threads: who owns what, and P7 in a full pool. */
#include <errno.h>
#include <pthread.h>

#include "prmem/alloc/bad_page.h"
#include "prmem/alloc/page_internal.h"
#include "tests/unit/fake_pool.h"
#include "tests/unit/unit.h"
#include "xarray/xa_rcu.h"

#define NR_THREADS 4u

struct job {
	struct prmem_pool *pool;
	atomic_uchar *own; /* a page has one owner */
	uint64_t seed;
	uint32_t *pfns;
	uint32_t nr_pfns;
	unsigned int nr_rounds;
	unsigned int nr_enospc;
	atomic_bool *stop;
};

static uint64_t
job_random(struct job *job)
{
	job->seed += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(job->seed);
}

static void
own(struct job *job, uint32_t pfn)
{
	CHECK(!pool_is_fixed_page(job->pool, pfn));
	CHECK_EQ(atomic_exchange(&job->own[pfn], 1), 0);
	/* Plain stores: ThreadSanitizer sees whether the last owner's are ordered before. */
	memset(pool_page(job->pool, pfn), (int)job->seed & 0xff, 64);
}

static void
disown(struct job *job, uint32_t pfn)
{
	CHECK_EQ(atomic_exchange(&job->own[pfn], 0), 1);
}

/* Runs @fn in threads, each with its share of what fills the pool; returns when all have ended. */
static void
run_threads(struct prmem_pool *pool, atomic_uchar *owners, uint32_t *pfns, uint32_t n, unsigned int nr_rounds,
	    void *(*fn)(void *), struct job *jobs)
{
	pthread_t threads[NR_THREADS];

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		uint32_t first = n / NR_THREADS * i;

		jobs[i] = (struct job){.pool = pool, .own = owners, .seed = unit_random(), .nr_rounds = nr_rounds};
		if (pfns != NULL) {
			jobs[i].pfns = pfns + first;
			jobs[i].nr_pfns = n / NR_THREADS;
		}
		CHECK_EQ(pthread_create(&threads[i], NULL, fn, &jobs[i]), 0);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* Overwrite pages as a disk does: many at once while that works, else one by one. */
static void *
overwrite(void *opaque)
{
	struct job *job = opaque;
	struct page_alloc *pages = job->pool->pages;

	for (unsigned int i = 0; i < job->nr_rounds; i++) {
		uint32_t new[16], nr = 1 + (uint32_t)(job_random(job) % 16), at;

		nr = MIN(nr, job->nr_pfns);
		at = (uint32_t)(job_random(job) % (job->nr_pfns - nr + 1));
		if (nr > 1 && page_take(pages, PAGE_USE_REPLACE, nr, new) < 0)
			nr = 0;
		for (uint32_t j = 0; j < MAX(nr, 1); j++) {
			if (nr < 2) {
				/* The promise. */
				CHECK_EQ(page_take(pages, PAGE_USE_REPLACE, 1, &new[j]), 0);
			}
			own(job, new[j]);
			disown(job, job->pfns[at + j]);
			page_retire(pages, job->pfns[at + j], 0);
			job->pfns[at + j] = new[j];
		}
	}
	return NULL;
}

static void
overwriting_in_a_full_pool_never_fails(void)
{
	static const struct {
		uint32_t nr_pages;
		bool is_pmem;
		unsigned int nr_rounds;
	} pools[] = {{64, true, 2000}, {64, false, 500}, {2048, true, 4000}, {2048, false, 2000}, {70000, true, 4000}};

	for (size_t p = 0; p < ARRAY_SIZE(pools); p++) {
		struct prmem_pool *pool = fake_pool_start(pools[p].nr_pages, pools[p].is_pmem);
		atomic_uchar *owners = calloc(pools[p].nr_pages, sizeof *owners);
		uint32_t *pfns = calloc(pools[p].nr_pages, sizeof *pfns), n = 0;
		struct job jobs[NR_THREADS], all = {.pool = pool, .own = owners};
		struct page_numbers before, after;

		while (page_take(pool->pages, PAGE_USE_NEW, 1, &pfns[n]) == 0)
			own(&all, pfns[n++]);
		page_numbers(pool->pages, &before);
		run_threads(pool, owners, pfns, n, pools[p].nr_rounds, overwrite, jobs);
		CHECK_EQ(page_reclaim(pool->pages), 0);
		page_numbers(pool->pages, &after);
		CHECK_EQ(before.nr_free, after.nr_free);
		CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
		free(owners);
		free(pfns);
		fake_pool_destroy(pool);
	}
}

/* Everything there is, at random; what a thread holds is its own. */
static void *
use_at_random(void *opaque)
{
	struct job *job = opaque;
	struct page_alloc *pages = job->pool->pages;
	struct retired held[256];
	unsigned int nr_held = 0;

	for (unsigned int i = 0; i < job->nr_rounds || nr_held > 0; i++) {
		uint64_t what = i < job->nr_rounds ? job_random(job) % 16 : 15;
		uint32_t pfns[32], nr = 1 + (uint32_t)(job_random(job) % ARRAY_SIZE(pfns));

		if (what < 6 && nr_held + nr <= ARRAY_SIZE(held)) {
			if (page_take(pages, PAGE_USE_NEW, nr, pfns) < 0) {
				job->nr_enospc++;
				continue;
			}
			for (uint32_t j = 0; j < nr; j++) {
				own(job, pfns[j]);
				held[nr_held++] = (struct retired){pfns[j], 0};
			}
		} else if (what == 6 && nr_held < ARRAY_SIZE(held)) {
			unsigned int order = (unsigned int)(job_random(job) % 7);

			if (page_take_run(pages, order, pfns) < 0)
				continue;
			for (uint32_t j = 0; j < 1u << order; j++)
				own(job, pfns[0] + j);
			held[nr_held++] = (struct retired){pfns[0], order};
		} else if (what == 7) {
			CHECK_EQ(page_sync(pages), 0);
		} else if (what == 8 && i % 16 == 0) {
			CHECK_EQ(page_reclaim(pages), 0);
		} else if (what == 9) {
			struct page_numbers numbers;

			page_numbers(pages, &numbers);
			CHECK(numbers.nr_free <= job->pool->nr_pages);
			if (page_promise(pages, nr) == 0)
				page_unpromise(pages, nr);
		} else {
			for (; nr > 0 && nr_held > 0; nr--) {
				unsigned int at = (unsigned int)(job_random(job) % nr_held);
				struct retired run = held[at];

				held[at] = held[--nr_held];
				for (uint32_t j = 0; j < 1u << run.order; j++)
					disown(job, run.pfn + j);
				if (run.order == 0 && what % 2)
					page_untake(pages, &run.pfn, 1);
				else if (what == 10)
					page_free_now(pages, run.pfn, 1u << run.order);
				else
					page_retire(pages, run.pfn, run.order);
			}
		}
	}
	return NULL;
}

static void
no_page_has_two_owners(void)
{
	for (int is_pmem = 0; is_pmem < 2; is_pmem++) {
		struct prmem_pool *pool = fake_pool_start(4096, is_pmem);
		atomic_uchar *owners = calloc(4096, sizeof *owners);
		struct job jobs[NR_THREADS];
		struct page_numbers numbers;

		run_threads(pool, owners, NULL, 0, 6000, use_at_random, jobs);
		CHECK_EQ(page_reclaim(pool->pages), 0);
		page_numbers(pool->pages, &numbers);
		CHECK_EQ(numbers.nr_free, 4096 - 3);
		CHECK_EQ(numbers.nr_promised, 0);
		CHECK_EQ(atomic_load(&pool->pages->shortfall), 0);
		for (uint32_t pfn = 0; pfn < 4096; pfn++)
			CHECK_EQ(atomic_load(&owners[pfn]), 0);
		free(owners);
		fake_pool_destroy(pool);
	}
}

/* Threads that take new pages until there are none find every page that the account offers. */
static void *
take_to_the_last(void *opaque)
{
	struct job *job = opaque;
	uint32_t pfn;
	int r;

	job->nr_pfns = 0;
	while ((r = page_take(job->pool->pages, PAGE_USE_NEW, 1, &pfn)) == 0) {
		own(job, pfn);
		job->nr_pfns++;
	}
	CHECK_EQ(r, -ENOSPC);
	return NULL;
}

static void
every_page_is_found(void)
{
	for (uint32_t nr_pages = 64; nr_pages <= 65536; nr_pages *= 4) {
		struct prmem_pool *pool = fake_pool_start(nr_pages, true);
		atomic_uchar *owners = calloc(nr_pages, sizeof *owners);
		struct job jobs[NR_THREADS];
		uint64_t total = 0;

		run_threads(pool, owners, NULL, 0, 0, take_to_the_last, jobs);
		for (unsigned int i = 0; i < NR_THREADS; i++)
			total += jobs[i].nr_pfns;
		CHECK_EQ(total, nr_pages - 3 - pool->pages->kept_back);
		free(owners);
		fake_pool_destroy(pool);
	}
}

static void *
mark_all(void *opaque)
{
	struct job *job = opaque;

	job->nr_enospc = 0;
	for (uint32_t pfn = 64; pfn < job->pool->nr_pages; pfn++)
		job->nr_enospc += page_mark(job->pool->pages, pfn, 1);
	return NULL;
}

static void
one_of_those_who_mark_is_the_first(void)
{
	struct prmem_pool *pool = fake_pool_new(65536, true);
	struct job jobs[NR_THREADS];
	unsigned int total = 0;

	run_threads(pool, NULL, NULL, 0, 0, mark_all, jobs);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		total += jobs[i].nr_enospc;
	CHECK_EQ(total, 65536 - 64);
	fake_pool_destroy(pool);
}

/* A reader holds the read lock: what was retired after it began is not reused, and comes when it ends. */
struct reader {
	atomic_int state; /* 1: holds the lock, 2: let go */
};

static void *
read_a_while(void *opaque)
{
	struct reader *reader = opaque;

	xa_read_lock();
	atomic_store(&reader->state, 1);
	while (atomic_load(&reader->state) != 2)
		sched_yield();
	xa_read_unlock();
	return NULL;
}

struct taker {
	struct prmem_pool *pool;
	atomic_bool done;
	uint32_t pfns[3];
};

static void *
take_three(void *opaque)
{
	struct taker *taker = opaque;

	CHECK_EQ(page_take(taker->pool->pages, PAGE_USE_REPLACE, 3, taker->pfns), 0);
	atomic_store(&taker->done, true);
	return NULL;
}

static void
readers_are_waited_for(void)
{
	struct prmem_pool *pool = fake_pool_start(64, true);
	struct reader reader = {0};
	struct taker taker = {.pool = pool};
	struct timespec moment = {0, 50000000};
	uint32_t pfns[64], n = 0;
	pthread_t reading, taking;

	while (page_take(pool->pages, PAGE_USE_NEW, 1, &pfns[n]) == 0)
		n++;
	CHECK_EQ(pthread_create(&reading, NULL, read_a_while, &reader), 0);
	while (atomic_load(&reader.state) != 1)
		sched_yield();
	page_retire(pool->pages, pfns[5], 0);
	/* Two kept back and this one: three can only be had after the grace period. */
	CHECK_EQ(pthread_create(&taking, NULL, take_three, &taker), 0);
	nanosleep(&moment, NULL);
	CHECK(!atomic_load(&taker.done));
	atomic_store(&reader.state, 2);
	CHECK_EQ(pthread_join(taking, NULL), 0);
	CHECK_EQ(pthread_join(reading, NULL), 0);
	CHECK(taker.pfns[0] == pfns[5] || taker.pfns[1] == pfns[5] || taker.pfns[2] == pfns[5]);
	fake_pool_destroy(pool);
}

/* Pages turn bad under threads that use the pool: each is handed out at most to who has it already. */
static void
bad_pages_disappear_while_others_work(void)
{
	struct prmem_pool *pool = fake_pool_start(70000, true);
	atomic_uchar *owners = calloc(70000, sizeof *owners);
	struct job jobs[NR_THREADS];
	pthread_t threads[NR_THREADS];
	struct page_numbers numbers;
	uint32_t pfns[8];

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		jobs[i] = (struct job){.pool = pool, .own = owners, .seed = unit_random(), .nr_rounds = 3000};
		CHECK_EQ(pthread_create(&threads[i], NULL, use_at_random, &jobs[i]), 0);
	}
	for (unsigned int i = 0; i < 300; i++) {
		page_set_bad(pool->pages, (uint32_t)(64 + unit_random() % 3000));
		sched_yield();
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(page_reclaim(pool->pages), 0);
	page_numbers(pool->pages, &numbers);
	CHECK_EQ(numbers.nr_free, 70000 - 3 - numbers.nr_bad);
	while (page_take(pool->pages, PAGE_USE_NEW, 8, pfns) == 0) {
		for (unsigned int i = 0; i < 8; i++)
			CHECK(!bitmap_is_bad_locked(pool->pages, pfns[i]));
	}
	free(owners);
	fake_pool_destroy(pool);
}

UNIT_MAIN(CASE(overwriting_in_a_full_pool_never_fails), CASE(no_page_has_two_owners), CASE(every_page_is_found),
	  CASE(one_of_those_who_mark_is_the_first), CASE(readers_are_waited_for),
	  CASE(bad_pages_disappear_while_others_work))
