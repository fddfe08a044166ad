/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads on one entry, one leaf, different leaves; trees that grow and
 * shrink under readers and writers.  What is freed is freed once, not used
 * afterwards, and no acknowledged store is lost.  For ThreadSanitizer above
 * all.
 */
#include <errno.h>
#include <sched.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define NR_THREADS 4

static struct sim_memory sim;
static struct xarray xa;
static atomic_bool stop;

struct job {
	pthread_t thread;
	unsigned int number;
	uint64_t seed;
	void (*fn)(struct job *job);
};

static uint32_t
job_random(struct job *job, uint32_t n)
{
	job->seed += UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(mix64(job->seed) >> 32) % n;
}

static void *
run_job(void *opaque)
{
	struct job *job = opaque;

	job->fn(job);
	return NULL;
}

/* The first @nr_workers end by themselves; the others when they are told to stop. */
static void
run_jobs(void (*const *fns)(struct job *job), unsigned int nr_workers, unsigned int nr)
{
	struct job jobs[8] = {0};

	CHECK(nr <= ARRAY_SIZE(jobs));
	atomic_store(&stop, false);
	for (unsigned int i = 0; i < nr; i++) {
		jobs[i].number = i;
		jobs[i].seed = unit_random();
		jobs[i].fn = fns[i];
		CHECK_EQ(pthread_create(&jobs[i].thread, NULL, run_job, &jobs[i]), 0);
	}
	for (unsigned int i = 0; i < nr; i++) {
		if (i == nr_workers)
			atomic_store(&stop, true);
		pthread_join(jobs[i].thread, NULL);
	}
}

static void
begin(void)
{
	sim_init(&sim, 4096);
	sim.retire_batch = 16;
	sim_open(&sim, &xa);
}

static void
end(void)
{
	sim_check_leaks(&sim, &xa);
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	CHECK_EQ(sim.root, 0);
	sim_check_empty(&sim);
	xa_fini(&xa);
	sim_fini(&sim);
}

/* ---- readers that go on until told to stop ---- */

static void
check_entry(uint32_t idx, xa_entry_t entry)
{
	(void)idx;
	CHECK(!xa_is_err(entry));
	if (entry != 0 && !xa_is_value(entry))
		CHECK(sim_entry_is_whole(&sim, entry));
}

static void
visit_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	(void)opaque;
	check_entry(idx, entry);
}

static void
visit_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	(void)opaque;
	fprintf(stderr, "damaged: %" PRIu64 " from %" PRIu32 ", level %u, slot %016" PRIx64 "\n", nr, idx, level, slot);
	abort();
}

static uint32_t read_first, read_nr;

static void
read_all_the_time(struct job *job)
{
	const struct xa_visitor visitor = {.entry = visit_entry, .damage = visit_damage};

	while (!atomic_load(&stop)) {
		XA_STATE(xas, &xa);
		uint32_t idx = read_first + job_random(job, read_nr), last = read_first + read_nr - 1;
		xa_entry_t entry;

		xa_read_lock();
		for (int i = 0; i < 16; i++) {
			check_entry(idx, xas_load(&xas, idx));
			(void)xas_skip(&xas, idx);
			idx = read_first + job_random(job, read_nr);
		}
		xa_read_unlock();
		xa_read_lock();
		xa_walk(&xa, read_first, last, &visitor);
		xa_read_unlock();
		xa_read_lock();
		entry = xa_find(&xa, &idx, last);
		check_entry(idx, entry);
		entry = xa_find_after(&xa, &idx, last);
		check_entry(idx, entry);
		xa_read_unlock();
		/* Nor without a lock of one's own is a node met that is gone. */
		CHECK(!xa_is_err(xa_load(&xa, idx)));
		CHECK(!xa_is_err(xa_find(&xa, &idx, last)));
		CHECK(!xa_is_err(xa_find_after(&xa, &idx, last)));
	}
}

/* ---- one leaf ---- */

#define NR_STORES 1200

static void
replace_in_one_leaf(struct job *job)
{
	for (int n = 0; n < NR_STORES; n++) {
		uint32_t idx = job_random(job, XA_CHUNK_SIZE);
		xa_entry_t new = job_random(job, 4) ? sim_new_entry(&sim) : 0, old;

		if (job_random(job, 2)) {
			old = xa_store(&xa, idx, new);
			CHECK(!xa_is_err(old));
			sim_free_entry(&sim, old);
		} else {
			xa_entry_t expected = xa_load(&xa, idx);

			old = xa_cmpxchg(&xa, idx, expected, new);
			CHECK(!xa_is_err(old));
			sim_free_entry(&sim, old == expected ? old : new);
		}
	}
}

static void
writers_and_readers_on_one_leaf(void)
{
	static void (*const fns[])(struct job *) = {replace_in_one_leaf, replace_in_one_leaf, read_all_the_time,
						    read_all_the_time};

	begin();
	read_first = 0;
	read_nr = 2 * XA_CHUNK_SIZE;
	run_jobs(fns, 2, ARRAY_SIZE(fns));
	end();
}

/* ---- one counter: no step is lost ---- */

#define COUNTER 12345u

static void
count_up(struct job *job)
{
	(void)job;
	for (int n = 0; n < NR_STORES; n++) {
		xa_entry_t was = xa_load(&xa, COUNTER), found;

		for (;;) {
			found = xa_cmpxchg(&xa, COUNTER, was, xa_mk_value(was == 0 ? 1 : xa_to_value(was) + 1));
			CHECK(!xa_is_err(found));
			if (found == was)
				break;
			was = found;
		}
	}
}

static void
erase_beside_the_counter(struct job *job)
{
	/* All around it, so that its leaf is in question each time. */
	while (!atomic_load(&stop)) {
		CHECK_EQ(xa_erase_range(&xa, 0, COUNTER - 1), 0);
		CHECK_EQ(xa_erase_range(&xa, COUNTER + 1, UINT32_MAX), 0);
		CHECK(!xa_is_err(xa_store(&xa, COUNTER + 1 + job_random(job, 1u << 20), xa_mk_value(1))));
	}
}

static void
no_step_of_a_counter_is_lost(void)
{
	static void (*const fns[])(struct job *) = {count_up, count_up, count_up, erase_beside_the_counter};

	begin();
	run_jobs(fns, 3, ARRAY_SIZE(fns));
	CHECK_EQ(xa_load(&xa, COUNTER), xa_mk_value(3 * NR_STORES));
	end();
}

/* ---- different leaves, growth, and leaves that come and go ---- */

#define NR_OWN 64

/* Each thread owns the indices that are its number modulo NR_THREADS, and knows what is there. */
static void
store_own(struct job *job)
{
	static const uint32_t bases[] = {0, 1u << 12, 1u << 20, 1u << 31, UINT32_MAX - NR_OWN * NR_THREADS};
	xa_entry_t own[ARRAY_SIZE(bases)][NR_OWN] = {0};

	for (int n = 0; n < NR_STORES; n++) {
		uint32_t b = job_random(job, ARRAY_SIZE(bases)), i = job_random(job, NR_OWN);
		uint32_t idx = bases[b] + i * NR_THREADS + job->number;
		xa_entry_t new = job_random(job, 3) ? sim_new_entry(&sim) : 0, old;

		switch (job_random(job, 4)) {
		case 0:
			CHECK_EQ(xa_load(&xa, idx), own[b][i]);
			CHECK_EQ(xa_cmpxchg(&xa, idx, own[b][i], new), own[b][i]);
			old = own[b][i];
			break;
		case 1:
			/* By a range: the leaf goes with its last entry, under the others' hands. */
			CHECK_EQ(xa_erase_range(&xa, idx, idx), 0);
			CHECK_EQ(xa_load(&xa, idx), 0);
			old = xa_store(&xa, idx, new);
			CHECK_EQ(old, 0);
			break;
		default:
			CHECK_EQ(xa_exchange(&xa, idx, 1, &new, &old), 1);
			CHECK_EQ(old, own[b][i]);
		}
		sim_free_entry(&sim, old);
		own[b][i] = new;
	}
	for (uint32_t b = 0; b < ARRAY_SIZE(bases); b++)
		for (uint32_t i = 0; i < NR_OWN; i++)
			CHECK_EQ(xa_load(&xa, bases[b] + i * NR_THREADS + job->number), own[b][i]);
}

static void
each_thread_finds_what_it_stored(void)
{
	static void (*const fns[])(struct job *) = {store_own, store_own, store_own, store_own, read_all_the_time};

	begin();
	read_first = 0;
	read_nr = 1u << 12;
	run_jobs(fns, 4, ARRAY_SIZE(fns));
	end();
}

/* ---- range erases over what others store ---- */

#define ERASED_NR (16 * XA_CHUNK_SIZE)
#define ERASED_FIRST ((1u << 20) - ERASED_NR / 2)

static void
store_where_it_is_erased(struct job *job)
{
	for (int n = 0; n < NR_STORES / 4; n++) {
		xa_entry_t new[8], old[8];
		struct xa_ahead ahead;
		uint32_t nr = 1 + job_random(job, 8);
		uint32_t idx = ERASED_FIRST + job_random(job, ERASED_NR - nr + 1);

		for (uint32_t i = 0; i < nr; i++)
			new[i] = job_random(job, 4) ? sim_new_entry(&sim) : 0;
		/* By a leaf that may be gone by now, and perhaps in use for something else. */
		xa_look_ahead(&xa, idx, &ahead);
		if (job_random(job, 8) == 0)
			sched_yield();
		CHECK_EQ(xa_exchange_ahead(&xa, &ahead, idx, nr, new, old), nr);
		for (uint32_t i = 0; i < nr; i++)
			sim_free_entry(&sim, old[i]);
	}
}

static void
erase_what_is_stored(struct job *job)
{
	while (!atomic_load(&stop)) {
		uint32_t first = ERASED_FIRST + job_random(job, ERASED_NR);
		uint32_t last =
			job_random(job, 4) ? first + job_random(job, ERASED_FIRST + ERASED_NR - first) : UINT32_MAX;

		if (job_random(job, 4) == 0)
			first = 0;
		CHECK_EQ(xa_erase_range(&xa, first, last), 0);
	}
}

static void
ranges_are_erased_under_writers_and_readers(void)
{
	static void (*const fns[])(struct job *) = {store_where_it_is_erased, store_where_it_is_erased,
						    erase_what_is_stored, erase_what_is_stored, read_all_the_time};

	begin();
	read_first = ERASED_FIRST;
	read_nr = ERASED_NR;
	run_jobs(fns, 2, ARRAY_SIZE(fns));
	end();
}

/* ---- growing at once from nothing ---- */

/* The last index but a few of each height: each store may be the one that makes the tree higher. */
static uint32_t
highest_of(unsigned int height, unsigned int number)
{
	return (uint32_t)(xa_span(height) - NR_THREADS + number);
}

static void
grow(struct job *job)
{
	for (unsigned int height = 1; height <= XA_MAX_HEIGHT; height++)
		CHECK_EQ(xa_store(&xa, highest_of(height, job->number), xa_mk_value(height)), 0);
}

static void
threads_make_the_tree_grow_together(void)
{
	static void (*const fns[])(struct job *) = {grow, grow, grow, grow};

	for (int round = 0; round < 20; round++) {
		begin();
		run_jobs(fns, 4, ARRAY_SIZE(fns));
		for (unsigned int number = 0; number < NR_THREADS; number++)
			for (unsigned int height = 1; height <= XA_MAX_HEIGHT; height++)
				CHECK_EQ(xa_load(&xa, highest_of(height, number)), xa_mk_value(height));
		CHECK_EQ(atomic_load(&xa.nr_nodes), sim.nr_nodes);
		end();
	}
}

/* ---- behind the end ---- */

#define END (5 * XA_CHUNK_SIZE + 3)

static void
store_around_the_end(struct job *job)
{
	while (!atomic_load(&stop)) {
		uint32_t idx = END - 4 + job_random(job, 8);
		xa_entry_t old = xa_store(&xa, idx, xa_mk_value(idx));

		CHECK(!xa_is_err(old) || (xa_err(old) == -ENXIO && idx >= END));
	}
}

static void
set_the_end(struct job *job)
{
	(void)job;
	for (int n = 0; n < NR_STORES / 20; n++) {
		uint32_t idx = END;

		xa_set_end(&xa, END);
		CHECK_EQ(xa_erase_range(&xa, END, UINT32_MAX), 0);
		CHECK_EQ(xa_find(&xa, &idx, UINT32_MAX), 0);
		usleep(50);
		CHECK_EQ(xa_find(&xa, &idx, UINT32_MAX), 0);
		xa_set_end(&xa, UINT64_C(1) << 32);
		usleep(50);
	}
}

static void
nothing_comes_behind_an_end_that_was_set(void)
{
	static void (*const fns[])(struct job *) = {set_the_end, store_around_the_end, store_around_the_end};

	begin();
	run_jobs(fns, 1, ARRAY_SIZE(fns));
	end();
}

UNIT_MAIN(CASE(writers_and_readers_on_one_leaf), CASE(no_step_of_a_counter_is_lost),
	  CASE(each_thread_finds_what_it_stored), CASE(ranges_are_erased_under_writers_and_readers),
	  CASE(threads_make_the_tree_grow_together), CASE(nothing_comes_behind_an_end_that_was_set))
