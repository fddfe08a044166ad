/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is durable when, with two threads: A is stopped in the middle of a
 * store, B comes by, and what B is told must survive a power failure at that
 * moment, or B must wait.  The letters are those of xarray/xa_tree.c.
 *
 * The simulated memory (sim_memory.h) counts as durable only what a thread
 * flushed and fenced itself, and checks by itself that no link is stored
 * before its node is durable (A.1) and nothing freed that is still reachable
 * (B.1).  The last case leaves out one flush or fence after the other and
 * wants to be caught each time.
 */
#include <errno.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define IDX 5u
#define FAR (1u << 30)

static struct sim_memory sim;
static struct xarray xa;
static int skipped_site = -1;

/* ---- A, which is stopped at a site ---- */

static struct {
	pthread_t thread;
	void (*fn)(void);
	enum pm_site site;
	unsigned int passes; /* times to pass it by */
	atomic_bool armed;
	sem_t reached, resume;
} a;

static _Thread_local bool is_a;

static void
stop_at_site(void *opaque, enum pm_site site)
{
	(void)opaque;
	if (!is_a || site != a.site || !atomic_load(&a.armed))
		return;
	if (a.passes > 0) {
		a.passes--;
		return;
	}
	atomic_store(&a.armed, false);
	sem_post(&a.reached);
	while (sem_wait(&a.resume) != 0)
		;
}

static void *
thread_a(void *opaque)
{
	(void)opaque;
	is_a = true;
	a.fn();
	/* It may have passed the site by; then the test is wrong. */
	CHECK(!atomic_load(&a.armed));
	return NULL;
}

static void
start_a(void (*fn)(void), enum pm_site site)
{
	a.fn = fn;
	a.site = site;
	atomic_store(&a.armed, true);
	sem_init(&a.reached, 0, 0);
	sem_init(&a.resume, 0, 0);
	CHECK_EQ(pthread_create(&a.thread, NULL, thread_a, NULL), 0);
	while (sem_wait(&a.reached) != 0)
		;
}

static void
finish_a(void)
{
	sem_post(&a.resume);
	pthread_join(a.thread, NULL);
	sem_destroy(&a.reached);
	sem_destroy(&a.resume);
}

/* ---- B ---- */

static struct {
	pthread_t thread;
	void (*fn)(void);
	atomic_bool running, done;
} b;

static void *
thread_b(void *opaque)
{
	(void)opaque;
	atomic_store(&b.running, true);
	b.fn();
	atomic_store(&b.done, true);
	return NULL;
}

static void
start_b(void (*fn)(void))
{
	b.fn = fn;
	atomic_store(&b.running, false);
	atomic_store(&b.done, false);
	CHECK_EQ(pthread_create(&b.thread, NULL, thread_b, NULL), 0);
	while (!atomic_load(&b.running))
		usleep(100);
}

/* B is not to end; if it wants to, it does so in far less time than this. */
static void
check_b_waits(void)
{
	for (int ms = 0; ms < 20; ms++) {
		usleep(1000);
		CHECK(!atomic_load(&b.done));
	}
}

static void
finish_b(void)
{
	pthread_join(b.thread, NULL);
}

static void
begin(void)
{
	sim_init(&sim, 512);
	sim_track(&sim);
	sim.skipped_site = skipped_site;
	sim.hook = stop_at_site;
	sim_open(&sim, &xa);
}

static void
end(void)
{
	sim_check_leaks(&sim, &xa);
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	sim_check_empty(&sim);
	xa_fini(&xa);
	sim_fini(&sim);
}

static void
check_durable(uint32_t idx, xa_entry_t entry)
{
	struct xarray durable;

	sim_durable_array(&sim, &durable);
	CHECK_EQ(xa_load(&durable, idx), entry);
	xa_fini(&durable);
}

/* ---- A.4: nothing below a link is acknowledged before the link is durable ---- */

static void
a_stores_in_a_new_leaf(void)
{
	CHECK_EQ(xa_store(&xa, FAR, xa_mk_value(1)), 0);
}

static void
b_stores_in_that_leaf(void)
{
	CHECK_EQ(xa_store(&xa, FAR + 1, xa_mk_value(2)), 0);
}

static void
b_exchanges_in_that_leaf(void)
{
	xa_entry_t new = xa_mk_value(2), old;

	CHECK_EQ(xa_exchange(&xa, FAR + 1, 1, &new, &old), 1);
}

static void
b_compares_in_that_leaf(void)
{
	CHECK_EQ(xa_cmpxchg(&xa, FAR + 1, 0, xa_mk_value(2)), 0);
}

static void
a_store_waits_for_another_threads_link(void)
{
	static void (*const fns[])(void) = {b_stores_in_that_leaf, b_exchanges_in_that_leaf, b_compares_in_that_leaf};
	static const enum pm_site sites[] = {PM_SITE_XA_LINK_FLUSH, PM_SITE_XA_LINK_FENCE};

	for (size_t s = 0; s < ARRAY_SIZE(sites); s++) {
		for (size_t f = 0; f < ARRAY_SIZE(fns); f++) {
			begin();
			/* High enough, so that a link is made and not a root. */
			CHECK_EQ(xa_store(&xa, FAR + (FAR >> 1), xa_mk_value(9)), 0);
			start_a(a_stores_in_a_new_leaf, sites[s]);
			check_durable(FAR, 0);
			start_b(fns[f]);
			check_b_waits();
			finish_a();
			finish_b();
			check_durable(FAR, xa_mk_value(1));
			check_durable(FAR + 1, xa_load(&xa, FAR + 1));
			end();
		}
	}
}

static void
behind_the_link_a_store_waits_for_nobody(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, FAR + (FAR >> 1), xa_mk_value(9)), 0);
	/* A is behind its link, and has not stored its entry. */
	start_a(a_stores_in_a_new_leaf, PM_SITE_XA_SLOT_STORE);
	start_b(b_stores_in_that_leaf);
	finish_b();
	check_durable(FAR + 1, xa_mk_value(2));
	check_durable(FAR, 0);
	finish_a();
	check_durable(FAR, xa_mk_value(1));
	end();
}

/* ---- A.5: what is told of a slot is durable, whoever stored it ---- */

static void
a_stores(void)
{
	CHECK_EQ(xa_store(&xa, IDX, xa_mk_value(2)), xa_mk_value(1));
}

static void
a_erases(void)
{
	CHECK_EQ(xa_erase(&xa, IDX), xa_mk_value(1));
}

static void
a_erases_by_range(void)
{
	CHECK_EQ(xa_erase_range(&xa, IDX, IDX), 0);
}

static void
b_expects_something_else(void)
{
	CHECK(xa_cmpxchg(&xa, IDX, xa_mk_value(77), xa_mk_value(78)) == xa_load(&xa, IDX));
}

static void
b_erases_nothing(void)
{
	CHECK_EQ(xa_erase(&xa, IDX), 0);
}

static void
b_exchanges_nothing(void)
{
	const xa_entry_t new[3] = {0};
	xa_entry_t old[3];

	CHECK_EQ(xa_exchange(&xa, IDX - 1, 3, new, old), 3);
	CHECK_EQ(old[1], 0);
}

static void
b_erases_a_range(void)
{
	CHECK_EQ(xa_erase_range(&xa, IDX, IDX + 1), 0);
}

/* A is stopped between its store and its flush, or flush and fence; B is told of what A stored. */
static void
check_seen(void (*a_fn)(void), void (*b_fn)(void), enum pm_site site, xa_entry_t seen)
{
	begin();
	/* Something beside it, so that the leaf stays. */
	CHECK_EQ(xa_store(&xa, IDX | XA_CHUNK_MASK, xa_mk_value(8)), 0);
	CHECK_EQ(xa_store(&xa, IDX, xa_mk_value(1)), 0);
	start_a(a_fn, site);
	check_durable(IDX, xa_mk_value(1));
	CHECK_EQ(xa_load(&xa, IDX), seen);
	start_b(b_fn);
	finish_b();
	check_durable(IDX, seen);
	finish_a();
	check_durable(IDX, seen);
	end();
}

static void
what_a_thread_is_told_is_durable(void)
{
	static const enum pm_site sites[] = {PM_SITE_XA_SLOT_FLUSH, PM_SITE_XA_SLOT_FENCE};

	for (size_t s = 0; s < ARRAY_SIZE(sites); s++) {
		check_seen(a_stores, b_expects_something_else, sites[s], xa_mk_value(2));
		check_seen(a_erases, b_expects_something_else, sites[s], 0);
		check_seen(a_erases, b_erases_nothing, sites[s], 0);
		check_seen(a_erases, b_exchanges_nothing, sites[s], 0);
		check_seen(a_erases, b_erases_a_range, sites[s], 0);
	}
	check_seen(a_erases_by_range, b_erases_nothing, PM_SITE_XA_ERASE_FLUSH, 0);
	check_seen(a_erases_by_range, b_expects_something_else, PM_SITE_XA_ERASE_FENCE, 0);
	check_seen(a_erases_by_range, b_erases_a_range, PM_SITE_XA_ERASE_FLUSH, 0);
}

/* ---- B.2: nobody is inside of what is unlinked, and nobody is told of it too early ---- */

static void
a_erases_all(void)
{
	CHECK_EQ(xa_erase_range(&xa, FAR & ~XA_CHUNK_MASK, FAR | XA_CHUNK_MASK), 0);
}

static void
b_erases_there(void)
{
	CHECK_EQ(xa_erase(&xa, FAR), 0);
}

static void
b_compares_there(void)
{
	CHECK_EQ(xa_cmpxchg(&xa, FAR, xa_mk_value(1), 0), 0);
}

static void
what_is_unlinked_is_told_of_when_it_is_durable(void)
{
	static void (*const fns[])(void) = {b_erases_there, b_compares_there, b_stores_in_that_leaf};
	static const enum pm_site sites[] = {PM_SITE_XA_UNLINK_STORE, PM_SITE_XA_UNLINK_FLUSH, PM_SITE_XA_UNLINK_FENCE};

	for (size_t s = 0; s < ARRAY_SIZE(sites); s++) {
		for (size_t f = 0; f < ARRAY_SIZE(fns); f++) {
			begin();
			CHECK_EQ(xa_store(&xa, FAR, sim_new_entry(&sim)), 0);
			CHECK_EQ(xa_store(&xa, FAR * 2, xa_mk_value(9)), 0);
			start_a(a_erases_all, sites[s]);
			start_b(fns[f]);
			check_b_waits();
			finish_a();
			finish_b();
			check_durable(FAR, 0);
			check_durable(FAR + 1, xa_load(&xa, FAR + 1));
			end();
		}
	}
}

/* ---- B.2 and B.3: who is inside of a node is waited for ---- */

static void
a_stores_in_the_leaf(void)
{
	xa_entry_t old = xa_store(&xa, FAR, sim_new_entry(&sim));

	CHECK(!xa_is_err(old));
	sim_free_entry(&sim, old);
}

static void
a_compares_in_the_leaf(void)
{
	CHECK_EQ(xa_cmpxchg(&xa, FAR + 2, 0, xa_mk_value(2)), 0);
}

static void
a_erases_slots_of_the_leaf(void)
{
	CHECK_EQ(xa_erase_range(&xa, FAR, FAR + 1), 0);
}

static void
a_loads(void)
{
	CHECK(!xa_is_err(xa_load(&xa, FAR)));
}

static void
a_finds(void)
{
	uint32_t idx = 1;

	CHECK(!xa_is_err(xa_find(&xa, &idx, UINT32_MAX)));
}

static void
a_finds_after(void)
{
	uint32_t idx = FAR;

	CHECK(!xa_is_err(xa_find_after(&xa, &idx, UINT32_MAX)));
}

static void
a_asks_if_it_is_empty(void)
{
	CHECK(!xa_empty(&xa));
}

static void
check_waited_for(void (*a_fn)(void), enum pm_site site, unsigned int passes)
{
	begin();
	CHECK_EQ(xa_store(&xa, FAR, sim_new_entry(&sim)), 0);
	CHECK_EQ(xa_store(&xa, FAR * 2, xa_mk_value(9)), 0);
	a.passes = passes;
	start_a(a_fn, site);
	start_b(a_erases_all);
	check_b_waits();
	finish_a();
	finish_b();
	CHECK_EQ(xa_load(&xa, FAR), 0);
	CHECK_EQ(xa_load(&xa, FAR * 2), xa_mk_value(9));
	end();
}

static void
b_sets_the_end(void)
{
	xa_set_end(&xa, FAR);
	/* Whoever stored behind it has stored by now. */
	CHECK_EQ(xa_load(&xa, FAR), xa_mk_value(1));
}

static void
a_store_behind_the_end_is_waited_for(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, FAR + 1, xa_mk_value(9)), 0);
	start_a(a_stores_in_a_new_leaf, PM_SITE_XA_SLOT_STORE);
	start_b(b_sets_the_end);
	check_b_waits();
	finish_a();
	finish_b();
	CHECK_EQ(xa_err(xa_store(&xa, FAR, xa_mk_value(2))), -ENXIO);
	end();
}

static void
who_is_inside_of_a_node_is_waited_for(void)
{
	check_waited_for(a_stores_in_the_leaf, PM_SITE_XA_SLOT_STORE, 0);
	check_waited_for(a_stores_in_the_leaf, PM_SITE_XA_SLOT_FLUSH, 0);
	check_waited_for(a_compares_in_the_leaf, PM_SITE_XA_SLOT_CMPXCHG, 0);
	check_waited_for(a_erases_slots_of_the_leaf, PM_SITE_XA_ERASE_STORE, 0);
	check_waited_for(a_erases_slots_of_the_leaf, PM_SITE_XA_ERASE_FLUSH, 0);
	/* Readers: on the last step down. */
	check_waited_for(a_loads, SIM_SITE_MAP, XA_MAX_HEIGHT - 1);
	check_waited_for(a_finds, SIM_SITE_MAP, XA_MAX_HEIGHT - 1);
	check_waited_for(a_finds_after, SIM_SITE_MAP, XA_MAX_HEIGHT - 1);
	check_waited_for(a_asks_if_it_is_empty, SIM_SITE_MAP, XA_MAX_HEIGHT - 1);
}

/* ---- the whole of it by one thread ---- */

static void
everything_is_durable_when_it_is_acknowledged(void)
{
	static const uint32_t spots[] = {0, 1, XA_CHUNK_SIZE, 77777, FAR, UINT32_MAX - 1, UINT32_MAX};

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(spots); i++) {
		xa_entry_t entry = sim_new_entry(&sim), other = sim_new_entry(&sim);

		CHECK_EQ(xa_store(&xa, spots[i], entry), 0);
		check_durable(spots[i], entry);
		CHECK_EQ(xa_cmpxchg(&xa, spots[i], entry, other), entry);
		check_durable(spots[i], other);
		sim_free_entry(&sim, entry);
	}
	for (size_t i = 0; i < ARRAY_SIZE(spots); i++) {
		CHECK_EQ(xa_erase_range(&xa, spots[i], spots[i]), 0);
		check_durable(spots[i], 0);
	}
	CHECK_EQ(xa_height(&xa), 0);
	for (uint32_t i = 0; i < 3 * XA_CHUNK_SIZE; i++)
		CHECK_EQ(xa_store(&xa, i, sim_new_entry(&sim)), 0);
	CHECK_EQ(xa_erase_range(&xa, 2, 3 * XA_CHUNK_SIZE - 2), 0);
	for (uint32_t i = 0; i < 3 * XA_CHUNK_SIZE; i++)
		check_durable(i, xa_load(&xa, i));
	end();
}

static void
a_damaged_node_is_gone_for_good(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, FAR, xa_mk_value(1)), 0);
	/* Beside it, so that no other node goes with it. */
	CHECK_EQ(xa_store(&xa, FAR + XA_CHUNK_SIZE, xa_mk_value(9)), 0);
	atomic_store(sim_slot(&sim, &xa, 1, FAR), 0);
	CHECK_EQ(xa_err(xa_load(&xa, FAR)), -EIO);
	check_durable(FAR, xa_mk_value(1));
	CHECK_EQ(xa_erase_range(&xa, FAR & ~XA_CHUNK_MASK, FAR | XA_CHUNK_MASK), 0);
	check_durable(FAR, 0);
	CHECK_EQ(xa_load(&xa, FAR), 0);
	/* The leaf behind it is lost until the next mark. */
	sim.nr_nodes--;
	atomic_fetch_sub(&xa.nr_nodes, 1);
	end();
}

/* ---- the negative control ---- */

static bool
fails_without(enum pm_site site)
{
	const struct rlimit no_core = {0, 0};
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		CHECK(freopen("/dev/null", "w", stderr));
		alarm(20);
		skipped_site = (int)site;
		everything_is_durable_when_it_is_acknowledged();
		behind_the_link_a_store_waits_for_nobody();
		what_a_thread_is_told_is_durable();
		what_is_unlinked_is_told_of_when_it_is_durable();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
each_flush_and_fence_is_missed_when_left_out(void)
{
	static const struct {
		enum pm_site site;
		const char *name;
	} sites[] = {
		{PM_SITE_XA_NODE_COPY, "node copy"},	   {PM_SITE_XA_NODE_FENCE, "node fence"},
		{PM_SITE_XA_LINK_FLUSH, "link flush"},	   {PM_SITE_XA_LINK_FENCE, "link fence"},
		{PM_SITE_XA_SLOT_FLUSH, "slot flush"},	   {PM_SITE_XA_SLOT_FENCE, "slot fence"},
		{PM_SITE_XA_SEEN_FLUSH, "seen flush"},	   {PM_SITE_XA_ERASE_FLUSH, "erase flush"},
		{PM_SITE_XA_ERASE_FENCE, "erase fence"},   {PM_SITE_XA_UNLINK_FLUSH, "unlink flush"},
		{PM_SITE_XA_UNLINK_FENCE, "unlink fence"},
	};
	unsigned int nr_caught = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sites); i++) {
		if (fails_without(sites[i].site))
			nr_caught++;
		else
			fprintf(stderr, "nobody misses the %s\n", sites[i].name);
	}
	CHECK_EQ(nr_caught, ARRAY_SIZE(sites));
	/* And not because it fails anyway. */
	CHECK(!fails_without(PM_SITE_PAGE_FENCE));
}

UNIT_MAIN(CASE(a_store_waits_for_another_threads_link), CASE(behind_the_link_a_store_waits_for_nobody),
	  CASE(what_a_thread_is_told_is_durable), CASE(what_is_unlinked_is_told_of_when_it_is_durable),
	  CASE(who_is_inside_of_a_node_is_waited_for), CASE(a_store_behind_the_end_is_waited_for),
	  CASE(everything_is_durable_when_it_is_acknowledged), CASE(a_damaged_node_is_gone_for_good),
	  CASE(each_flush_and_fence_is_missed_when_left_out))
