/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays that share nodes: copies that begin as another array's root.  None of
 * them sees another's stores, any of them may go first, what the last one had
 * is given back, and each thing once.
 */
#include <endian.h>
#include <errno.h>
#include <sched.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define NR_TREES 6
#define NR_PAGES 4096
#define WINDOW 96u /* indices of one window that a tree uses */

static struct sim_memory sim;
static pthread_mutex_t owners_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t node_owners[NR_PAGES]; /* beyond the first one */
static uint32_t object_owners[SIM_MAX_OBJECTS]; /* likewise */

struct tree {
	bool used;
	uint64_t root;
	unsigned int height;
	struct xarray xa;
};

static struct tree trees[NR_TREES];

static void *
tree_map(void *memory, uint32_t pfn)
{
	(void)memory;
	return sim_memory_ops.map(&sim, pfn);
}

static int
tree_alloc_node(void *memory, uint32_t *ret_pfn)
{
	(void)memory;
	return sim_memory_ops.alloc_node(&sim, ret_pfn);
}

static void
tree_free_node(void *memory, uint32_t pfn)
{
	(void)memory;
	CHECK_EQ(node_owners[pfn], 0);
	sim_memory_ops.free_node(&sim, pfn);
}

static void
free_object(xa_entry_t entry)
{
	bool last = true;

	if (entry == 0 || xa_is_value(entry))
		return;
	pthread_mutex_lock(&owners_lock);
	if (object_owners[xa_entry_payload(entry)] > 0) {
		object_owners[xa_entry_payload(entry)]--;
		last = false;
	}
	pthread_mutex_unlock(&owners_lock);
	if (last)
		sim_free_entry(&sim, entry);
}

static void
tree_free_entry(void *memory, uint32_t idx, xa_entry_t entry)
{
	(void)memory;
	(void)idx;
	free_object(entry);
}

static int
tree_set_root(void *memory, struct xarray *xa, uint64_t root, unsigned int height)
{
	struct tree *tree = memory;

	(void)xa;
	if (sim.set_root_fails_in > 0 && --sim.set_root_fails_in == 0)
		return -EIO;
	tree->root = root;
	tree->height = height;
	return 0;
}

static bool
tree_is_shared(void *memory, uint32_t pfn)
{
	bool shared;

	(void)memory;
	pthread_mutex_lock(&owners_lock);
	shared = node_owners[pfn] > 0;
	pthread_mutex_unlock(&owners_lock);
	return shared;
}

static int
tree_add_owners(void *memory, uint32_t pfn, unsigned int level, const uint64_t *slots, unsigned int nr)
{
	int shared;

	(void)memory;
	pthread_mutex_lock(&owners_lock);
	shared = node_owners[pfn] > 0;
	for (unsigned int i = 0; shared && i < nr; i++) {
		xa_entry_t slot = le64toh(slots[i]);

		if (level > 0 && xa_entry_kind(slot) == XA_KIND_NODE)
			node_owners[xa_entry_payload(slot)]++;
		else if (level == 0 && xa_entry_kind(slot) == XA_KIND_PAGE)
			object_owners[xa_entry_payload(slot)]++;
	}
	pthread_mutex_unlock(&owners_lock);
	return shared;
}

static bool
tree_drop_owner(void *memory, uint32_t pfn)
{
	bool last;

	(void)memory;
	pthread_mutex_lock(&owners_lock);
	last = node_owners[pfn] == 0;
	if (!last)
		node_owners[pfn]--;
	pthread_mutex_unlock(&owners_lock);
	return last;
}

/* Nodes that arrays have left, and whose readers may still be inside. */
static struct {
	struct xarray *xa;
	uint32_t pfn;
	unsigned int level;
	uint32_t first;
} left[4096];
static unsigned int nr_left; /* under owners_lock */

static void
tree_leave_node(void *memory, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct tree *tree = memory;

	pthread_mutex_lock(&owners_lock);
	CHECK(nr_left < ARRAY_SIZE(left));
	left[nr_left].xa = &tree->xa;
	left[nr_left].pfn = pfn;
	left[nr_left].level = level;
	left[nr_left++].first = first;
	pthread_mutex_unlock(&owners_lock);
}

static void
drop_left_nodes(void)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	unsigned int nr;

	pthread_mutex_lock(&one_at_a_time);
	pthread_mutex_lock(&owners_lock);
	nr = nr_left;
	pthread_mutex_unlock(&owners_lock);
	xa_synchronize();
	for (; nr > 0; nr--) {
		pthread_mutex_lock(&owners_lock);
		nr_left--;
		struct xarray *xa = left[0].xa;
		uint32_t pfn = left[0].pfn, first = left[0].first;
		unsigned int level = left[0].level;

		memmove(&left[0], &left[1], nr_left * sizeof left[0]);
		pthread_mutex_unlock(&owners_lock);
		xa_drop_left_node(xa, pfn, level, first);
	}
	pthread_mutex_unlock(&one_at_a_time);
}

static const struct xa_memory_ops tree_ops = {
	.map = tree_map,
	.alloc_node = tree_alloc_node,
	.free_node = tree_free_node,
	.free_entry = tree_free_entry,
	.set_root = tree_set_root,
	.is_shared = tree_is_shared,
	.add_owners = tree_add_owners,
	.leave_node = tree_leave_node,
	.drop_owner = tree_drop_owner,
};

static void
open_tree(struct tree *tree, uint64_t root, unsigned int height)
{
	tree->used = true;
	tree->root = root;
	tree->height = height;
	CHECK_EQ(xa_init(&tree->xa, &tree_ops, tree, &sim.pm, SIM_LINEAGE, root, height), 0);
}

static void
clone_tree(struct tree *from, struct tree *to)
{
	xa_freeze(&from->xa);
	if (from->root != 0) {
		pthread_mutex_lock(&owners_lock);
		node_owners[xa_entry_payload(from->root)]++;
		pthread_mutex_unlock(&owners_lock);
	}
	open_tree(to, from->root, from->height);
	xa_may_share(&from->xa);
	xa_may_share(&to->xa);
	xa_thaw(&from->xa);
}

static void
remove_tree(struct tree *tree)
{
	drop_left_nodes();
	xa_free_all(&tree->xa);
	xa_fini(&tree->xa);
	tree->used = false;
}

static void
begin(void)
{
	sim_init(&sim, NR_PAGES);
	memset(node_owners, 0, sizeof node_owners);
	memset(object_owners, 0, sizeof object_owners);
	memset(trees, 0, sizeof trees);
	open_tree(&trees[0], 0, 0);
}

/* All trees go, and nothing is left. */
static void
end(void)
{
	for (unsigned int t = 0; t < NR_TREES; t++)
		if (trees[t].used)
			remove_tree(&trees[t]);
	for (uint32_t i = 0; i < NR_PAGES; i++)
		CHECK_EQ(node_owners[i], 0);
	for (uint32_t i = 0; i < SIM_MAX_OBJECTS; i++)
		CHECK_EQ(object_owners[i], 0);
	sim_check_empty(&sim);
	sim_fini(&sim);
}

/* ---- by hand ---- */

static void
a_store_copies_the_way_once_and_the_other_keeps_what_it_had(void)
{
	uint64_t nr_allocs;
	xa_entry_t old, first;
	uint32_t far = 3 * XA_CHUNK_SIZE * XA_CHUNK_SIZE; /* height 3 */

	begin();
	first = sim_new_entry(&sim);
	CHECK_EQ(xa_store(&trees[0].xa, far, first), 0);
	clone_tree(&trees[0], &trees[1]);
	nr_allocs = atomic_load(&sim.nr_allocs);
	old = xa_store(&trees[0].xa, far, sim_new_entry(&sim));
	CHECK_EQ(old, first);
	free_object(old);
	CHECK_EQ(atomic_load(&sim.nr_allocs) - nr_allocs, xa_height(&trees[0].xa));
	CHECK_EQ(xa_load(&trees[1].xa, far), first);
	nr_allocs = atomic_load(&sim.nr_allocs);
	CHECK_EQ(xa_store(&trees[0].xa, far + 1, sim_new_entry(&sim)), 0);
	CHECK_EQ(atomic_load(&sim.nr_allocs), nr_allocs);
	CHECK_EQ(xa_load(&trees[1].xa, far + 1), 0);
	CHECK_EQ(atomic_load(&sim.objects[xa_entry_payload(first)]), SIM_OBJECT_LIVE);
	end();
}

static void
an_answer_needs_no_copy(void)
{
	uint64_t nr_allocs;
	xa_entry_t nothing = 0, old;

	begin();
	CHECK_EQ(xa_store(&trees[0].xa, 5, xa_mk_value(5)), 0);
	clone_tree(&trees[0], &trees[1]);
	nr_allocs = atomic_load(&sim.nr_allocs);
	CHECK_EQ(xa_load(&trees[0].xa, 5), xa_mk_value(5));
	CHECK_EQ(xa_cmpxchg(&trees[0].xa, 5, xa_mk_value(6), xa_mk_value(7)), xa_mk_value(5));
	/* Nothing where there is no leaf; and erasing what is not there. */
	CHECK_EQ(xa_exchange(&trees[0].xa, 100 * XA_CHUNK_SIZE, 1, &nothing, &old), 1);
	CHECK_EQ(xa_erase_range(&trees[0].xa, 100 * XA_CHUNK_SIZE, UINT32_MAX), 0);
	CHECK_EQ(atomic_load(&sim.nr_allocs), nr_allocs);
	/* All of it goes without a copy, too. */
	CHECK_EQ(xa_erase_range(&trees[0].xa, 0, UINT32_MAX), 0);
	CHECK_EQ(atomic_load(&sim.nr_allocs), nr_allocs);
	CHECK_EQ(trees[0].root, 0);
	CHECK_EQ(xa_load(&trees[1].xa, 5), xa_mk_value(5));
	end();
}

static void
the_last_owner_has_what_it_names_to_itself(void)
{
	uint64_t nr_allocs;

	begin();
	CHECK_EQ(xa_store(&trees[0].xa, 4, sim_new_entry(&sim)), 0);
	clone_tree(&trees[0], &trees[1]);
	clone_tree(&trees[1], &trees[2]);
	remove_tree(&trees[0]);
	remove_tree(&trees[2]);
	nr_allocs = atomic_load(&sim.nr_allocs);
	CHECK_EQ(xa_store(&trees[1].xa, 5, sim_new_entry(&sim)), 0);
	CHECK_EQ(atomic_load(&sim.nr_allocs), nr_allocs);
	end();
}

static void
a_copy_that_cannot_be_made_changes_nothing(void)
{
	uint32_t far = 3 * XA_CHUNK_SIZE * XA_CHUNK_SIZE;
	xa_entry_t first;

	for (int n = 1; n < 12; n++) {
		bool roots = n % 2 == 0;
		xa_entry_t got;

		begin();
		first = sim_new_entry(&sim);
		CHECK_EQ(xa_store(&trees[0].xa, far, first), 0);
		clone_tree(&trees[0], &trees[1]);
		*(roots ? &sim.set_root_fails_in : &sim.alloc_fails_in) = (n + 1) / 2;
		got = xa_store(&trees[0].xa, far, xa_mk_value(1));
		sim.alloc_fails_in = sim.set_root_fails_in = -1;
		CHECK_EQ(xa_load(&trees[1].xa, far), first);
		if (xa_is_err(got)) {
			CHECK_EQ(xa_err(got), roots ? -EIO : -ENOSPC);
			CHECK_EQ(xa_load(&trees[0].xa, far), first);
		} else {
			CHECK_EQ(got, first);
			CHECK_EQ(xa_load(&trees[0].xa, far), xa_mk_value(1));
			free_object(got);
		}
		end();
	}
}

/* ---- at random, against a plain model ---- */

static const uint32_t windows[] = {0, 37 * XA_CHUNK_SIZE - WINDOW / 2, UINT32_MAX - WINDOW + 1};
static xa_entry_t model[NR_TREES][ARRAY_SIZE(windows)][WINDOW];

static void
check_all(void)
{
	for (unsigned int t = 0; t < NR_TREES; t++)
		for (unsigned int w = 0; trees[t].used && w < ARRAY_SIZE(windows); w++)
			for (uint32_t i = 0; i < WINDOW; i++) {
				xa_entry_t entry = xa_load(&trees[t].xa, windows[w] + i);

				CHECK_EQ(entry, model[t][w][i]);
				if (entry != 0)
					CHECK_EQ(atomic_load(&sim.objects[xa_entry_payload(entry)]), SIM_OBJECT_LIVE);
			}
}

static void
exchange_some(unsigned int t, unsigned int w)
{
	uint32_t nr = 1 + (uint32_t)(unit_random() % 12), from = (uint32_t)(unit_random() % (WINDOW - nr + 1));
	xa_entry_t new[12], old[12];
	int64_t done;

	for (uint32_t i = 0; i < nr; i++)
		new[i] = unit_random() % 3 != 0 ? sim_new_entry(&sim) : 0;
	done = xa_exchange(&trees[t].xa, windows[w] + from, nr, new, old);
	for (uint32_t i = 0; i < nr; i++) {
		if ((int64_t)i < done) {
			CHECK_EQ(old[i], model[t][w][from + i]);
			free_object(old[i]);
			model[t][w][from + i] = new[i];
		} else {
			free_object(new[i]);
		}
	}
	CHECK(done == nr || sim.alloc_fails_in == 0);
}

static void
erase_some(unsigned int t, unsigned int w)
{
	uint32_t a = (uint32_t)(unit_random() % WINDOW), b = (uint32_t)(unit_random() % WINDOW);
	uint32_t first = windows[w] + MIN(a, b), last = windows[w] + MAX(a, b);

	if (unit_random() % 8 == 0)
		first = 0;
	if (unit_random() % 8 == 0)
		last = UINT32_MAX;
	if (xa_erase_range(&trees[t].xa, first, last) < 0) {
		/* Some of it may be gone; each index holds its old entry or none. */
		CHECK_EQ(sim.alloc_fails_in, 0);
		for (unsigned int v = 0; v < ARRAY_SIZE(windows); v++)
			for (uint32_t i = 0; i < WINDOW; i++)
				if (windows[v] + i >= first && windows[v] + i <= last &&
				    xa_load(&trees[t].xa, windows[v] + i) == 0)
					model[t][v][i] = 0;
		return;
	}
	for (unsigned int v = 0; v < ARRAY_SIZE(windows); v++)
		for (uint32_t i = 0; i < WINDOW; i++)
			if (windows[v] + i >= first && windows[v] + i <= last)
				model[t][v][i] = 0;
}

static void
play(bool failing)
{
	begin();
	memset(model, 0, sizeof model);
	for (int step = 0; step < unit_rounds(3000); step++) {
		unsigned int t = (unsigned int)(unit_random() % NR_TREES), w = (unsigned int)(unit_random() % 3);
		unsigned int what = (unsigned int)(unit_random() % 16);

		if (!trees[t].used) {
			unsigned int from = (unsigned int)(unit_random() % NR_TREES);

			if (!trees[from].used)
				continue;
			clone_tree(&trees[from], &trees[t]);
			memcpy(model[t], model[from], sizeof model[t]);
			continue;
		}
		if (failing && unit_random() % 4 == 0)
			sim.alloc_fails_in = 1 + (int)(unit_random() % 3);
		if (what == 0 && t != 0)
			remove_tree(&trees[t]);
		else if (what < 4)
			erase_some(t, w);
		else
			exchange_some(t, w);
		sim.alloc_fails_in = -1;
		if (step % 16 == 0)
			check_all();
		if (unit_random() % 32 == 0)
			drop_left_nodes();
	}
	check_all();
	end();
}

static void
trees_that_come_and_go_keep_apart(void)
{
	play(false);
}

static void
trees_keep_apart_when_space_runs_out(void)
{
	play(true);
}

/* ---- threads ---- */

static atomic_bool stop;

static void *
store_all_the_time(void *opaque)
{
	uint64_t seed = *(uint64_t *)opaque;

	for (int n = 0; n < unit_rounds(20000); n++) {
		xa_entry_t new, old;
		uint32_t idx;

		seed += UINT64_C(0x9e3779b97f4a7c15);
		idx = (uint32_t)(mix64(seed) % (4 * XA_CHUNK_SIZE));
		new = sim_new_entry(&sim);
		CHECK_EQ(xa_exchange(&trees[0].xa, idx, 1, &new, &old), 1);
		free_object(old);
	}
	atomic_store(&stop, true);
	return NULL;
}

static void
sum_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	uint64_t *sum = opaque;

	CHECK_EQ(atomic_load(&sim.objects[xa_entry_payload(entry)]), SIM_OBJECT_LIVE);
	*sum += mix64(entry ^ idx);
}

static uint64_t
sum_of(struct tree *tree)
{
	uint64_t sum = 0;
	const struct xa_visitor visitor = {.entry = sum_entry, .opaque = &sum};

	xa_walk(&tree->xa, 0, XA_MAX_INDEX, &visitor);
	return sum;
}

static void
a_copy_does_not_change_while_its_origin_is_written(void)
{
	pthread_t threads[2];
	uint64_t seeds[2] = {unit_random(), unit_random()};

	begin();
	sim.retire_batch = 16;
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, store_all_the_time, &seeds[i]), 0);
	for (unsigned int t = 1; !atomic_load(&stop); t = t % (NR_TREES - 1) + 1) {
		uint64_t sum;

		if (trees[t].used)
			remove_tree(&trees[t]);
		clone_tree(&trees[0], &trees[t]);
		sum = sum_of(&trees[t]);
		sched_yield();
		CHECK_EQ(sum_of(&trees[t]), sum);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	end();
}

/* Entries of a tree's own kind: which of them stored it. */
#define MARK(t, n) xa_mk_value((t) << 24 | (n))

static void *
read_origin_all_the_time(void *opaque)
{
	(void)opaque;
	while (!atomic_load(&stop)) {
		for (uint32_t idx = 0; idx < 3 * XA_CHUNK_SIZE; idx++)
			CHECK_EQ(xa_load(&trees[0].xa, idx) >> 24 & 0xff, 0);
	}
	return NULL;
}

static void
a_reader_never_sees_what_another_array_stored(void)
{
	pthread_t thread;

	begin();
	for (uint32_t idx = 0; idx < 3 * XA_CHUNK_SIZE; idx++)
		CHECK_EQ(xa_store(&trees[0].xa, idx, MARK(0, idx)), 0);
	atomic_store(&stop, false);
	CHECK_EQ(pthread_create(&thread, NULL, read_origin_all_the_time, NULL), 0);
	for (int n = 0; n < unit_rounds(300); n++) {
		clone_tree(&trees[0], &trees[1]);
		/* The origin leaves what it shared; the other one is alone with it, sooner or later, and stores there.
		 */
		for (uint32_t idx = 0; idx < 3 * XA_CHUNK_SIZE; idx += XA_CHUNK_SIZE / 2)
			CHECK(!xa_is_err(xa_store(&trees[0].xa, idx, MARK(0, idx))));
		if (n % 2 == 0)
			drop_left_nodes();
		for (uint32_t idx = 0; idx < 3 * XA_CHUNK_SIZE; idx++)
			CHECK(!xa_is_err(xa_store(&trees[1].xa, idx, MARK(1, idx))));
		remove_tree(&trees[1]);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	end();
}

UNIT_MAIN(CASE(a_store_copies_the_way_once_and_the_other_keeps_what_it_had), CASE(an_answer_needs_no_copy),
	  CASE(the_last_owner_has_what_it_names_to_itself), CASE(a_copy_that_cannot_be_made_changes_nothing),
	  CASE(trees_that_come_and_go_keep_apart), CASE(trees_keep_apart_when_space_runs_out),
	  CASE(a_copy_does_not_change_while_its_origin_is_written), CASE(a_reader_never_sees_what_another_array_stored))
