/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting by many threads: most have counters of their own and add without
 * atomic operations; those for whom none are left share.
 */
#include <pthread.h>

#include "prmem/instance/stats.h"
#include "tests/unit/temp_pool.h"

#define NR_THREADS (STATS_NR_STRIPES + 8)
#define NR_READS 2000
#define LEN 512

struct reader {
	pthread_t thread;
	struct prmem_disk *disk;
	pthread_barrier_t *barrier; /* NULL: begin at once */
	int nr;
	unsigned int stripe;
};

static void *
read_often(void *opaque)
{
	struct reader *r = opaque;
	char buf[LEN];

	if (r->barrier != NULL)
		pthread_barrier_wait(r->barrier);
	for (int i = 0; i < r->nr; i++)
		CHECK_EQ(prmem_disk_read(r->disk, buf, LEN, 0), 0);
	r->stripe = stats_thread_stripe - 1;
	/* Nobody ends before all have what they need. */
	if (r->barrier != NULL)
		pthread_barrier_wait(r->barrier);
	return NULL;
}

static void
counts_are_exact_with_more_threads_than_counters(void)
{
	struct reader readers[NR_THREADS];
	unsigned int nr_shared = 0;
	pthread_barrier_t barrier;
	struct prmem_disk *disk;
	struct prmem_stats s;
	struct temp_pool t;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	CHECK_EQ(pthread_barrier_init(&barrier, NULL, NR_THREADS), 0);
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		readers[i] = (struct reader){.disk = disk, .barrier = &barrier, .nr = NR_READS};
		CHECK_EQ(pthread_create(&readers[i].thread, NULL, read_often, &readers[i]), 0);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		CHECK_EQ(pthread_join(readers[i].thread, NULL), 0);
		nr_shared += readers[i].stripe == STATS_SHARED;
	}
	CHECK(nr_shared >= NR_THREADS - STATS_SHARED);
	CHECK_EQ(prmem_disk_stats(t.pool, "d", &s, sizeof s), 0);
	CHECK_EQ(s.read.nr, NR_THREADS * NR_READS);
	CHECK_EQ(s.read.bytes, NR_THREADS * NR_READS * LEN);
	pthread_barrier_destroy(&barrier);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_thread_that_ends_leaves_its_counters_to_the_next(void)
{
	struct prmem_disk *disk;
	struct prmem_stats s;
	struct temp_pool t;

	temp_pool_make(&t, 4 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	for (unsigned int i = 0; i < 3 * STATS_NR_STRIPES; i++) {
		struct reader reader = {.disk = disk, .nr = 3};

		CHECK_EQ(pthread_create(&reader.thread, NULL, read_often, &reader), 0);
		CHECK_EQ(pthread_join(reader.thread, NULL), 0);
		CHECK(reader.stripe < STATS_SHARED);
	}
	CHECK_EQ(prmem_disk_stats(t.pool, "d", &s, sizeof s), 0);
	CHECK_EQ(s.read.nr, 3 * STATS_NR_STRIPES * 3);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(counts_are_exact_with_more_threads_than_counters),
	  CASE(a_thread_that_ends_leaves_its_counters_to_the_next))
