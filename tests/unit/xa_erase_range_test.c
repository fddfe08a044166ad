/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Erasing ranges: all of the range, nothing else, the nodes too, and each
 * entry given back once.
 */
#include <errno.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

static struct sim_memory sim;
static struct xarray xa;

static void
begin(void)
{
	sim_init(&sim, 4096);
	sim_open(&sim, &xa);
}

static void
end(void)
{
	sim_check_leaks(&sim, &xa);
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	CHECK_EQ(xa_height(&xa), 0);
	CHECK_EQ(sim.root, 0);
	CHECK_EQ(atomic_load(&xa.nr_nodes), 0);
	sim_check_empty(&sim);
	xa_fini(&xa);
	sim_fini(&sim);
}

static void
nothing_is_erased_where_nothing_is(void)
{
	begin();
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	CHECK_EQ(xa_erase_range(&xa, 5, 4), 0);
	CHECK_EQ(xa_store(&xa, 1000000, xa_mk_value(1)), 0);
	CHECK_EQ(xa_erase_range(&xa, 0, 999999), 0);
	CHECK_EQ(xa_erase_range(&xa, 1000001, UINT32_MAX), 0);
	CHECK_EQ(xa_erase_range(&xa, 1000000, 999999), 0);
	CHECK_EQ(xa_load(&xa, 1000000), xa_mk_value(1));
	end();
}

/* All ranges with their ends around the edges of nodes, over a tree that is full there. */
static void
just_the_range_is_erased(void)
{
	enum { NR = 6 * XA_CHUNK_SIZE + 2 };
	static const uint32_t cuts[] = {0,
					1,
					XA_CHUNK_SIZE - 1,
					XA_CHUNK_SIZE,
					XA_CHUNK_SIZE + 1,
					3 * XA_CHUNK_SIZE,
					4 * XA_CHUNK_SIZE - 1,
					4 * XA_CHUNK_SIZE,
					NR - 2,
					NR - 1};
	static const uint32_t bases[] = {0, (1u << 27) - 2 * XA_CHUNK_SIZE, UINT32_MAX - NR + 1};
	static xa_entry_t entries[NR], old[NR];

	for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
		for (size_t f = 0; f < ARRAY_SIZE(cuts); f++) {
			for (size_t l = f; l < ARRAY_SIZE(cuts); l++) {
				uint32_t base = bases[b];

				begin();
				for (size_t i = 0; i < NR; i++)
					entries[i] = sim_new_entry(&sim);
				CHECK_EQ(xa_exchange(&xa, base, NR, entries, old), NR);
				CHECK_EQ(xa_erase_range(&xa, base + cuts[f], base + cuts[l]), 0);
				for (uint32_t i = 0; i < NR; i++) {
					bool gone = i >= cuts[f] && i <= cuts[l];

					CHECK_EQ(xa_load(&xa, base + i), gone ? 0 : entries[i]);
				}
				end();
			}
		}
	}
}

static void
nodes_go_with_their_last_entry(void)
{
	const uint32_t far = 1u << 30;
	uint32_t nr;

	begin();
	CHECK_EQ(xa_store(&xa, 5, xa_mk_value(1)), 0);
	CHECK_EQ(xa_store(&xa, far, xa_mk_value(2)), 0);
	nr = sim.nr_nodes;
	CHECK_EQ(xa_store(&xa, far + XA_CHUNK_SIZE, xa_mk_value(3)), 0);
	CHECK_EQ(sim.nr_nodes, nr + 1);
	CHECK_EQ(xa_erase_range(&xa, far + XA_CHUNK_SIZE, far + XA_CHUNK_SIZE), 0);
	CHECK_EQ(sim.nr_nodes, nr);
	/* The whole path, up to the one that is shared; also when the range is the entry only. */
	CHECK_EQ(xa_erase_range(&xa, far, far), 0);
	CHECK_EQ(sim.nr_nodes, xa_height(&xa));
	CHECK_EQ(xa_load(&xa, 5), xa_mk_value(1));
	CHECK_EQ(atomic_load(&sim.nr_set_roots), 2);
	CHECK_EQ(xa_erase_range(&xa, 5, 5), 0);
	CHECK_EQ(sim.nr_nodes, 0);
	CHECK_EQ(sim.root, 0);
	CHECK_EQ(sim.height, 0);
	/* And it begins anew. */
	CHECK_EQ(xa_store(&xa, 1, xa_mk_value(4)), 0);
	CHECK_EQ(xa_height(&xa), 1);
	end();
}

static void
leaves_that_were_emptied_before_go_when_a_range_passes(void)
{
	begin();
	sim_make_leaves(&xa, 0, 20 * XA_CHUNK_SIZE);
	CHECK_EQ(xa_store(&xa, 20 * XA_CHUNK_SIZE, xa_mk_value(1)), 0);
	CHECK_EQ(xa_erase_range(&xa, 1, 10 * XA_CHUNK_SIZE), 0);
	CHECK_EQ(xa_load(&xa, 20 * XA_CHUNK_SIZE), xa_mk_value(1));
	sim_check_leaks(&sim, &xa);
	CHECK_EQ(xa_erase(&xa, 20 * XA_CHUNK_SIZE), xa_mk_value(1));
	CHECK(sim.nr_nodes > 0);
	CHECK_EQ(xa_erase_range(&xa, 3, 20 * XA_CHUNK_SIZE + 1), 0);
	CHECK_EQ(sim.nr_nodes, 0);
	end();
}

static void
more_subtrees_go_than_are_remembered_at_once(void)
{
	const uint32_t nr_leaves = 1100;

	begin();
	for (uint32_t i = 0; i < nr_leaves; i++)
		CHECK_EQ(xa_store(&xa, i * XA_CHUNK_SIZE + 1, sim_new_entry(&sim)), 0);
	/* Not aligned to anything: as many cuts as there can be. */
	CHECK_EQ(xa_erase_range(&xa, 1, (nr_leaves - 1) * XA_CHUNK_SIZE), 0);
	CHECK_EQ(atomic_load(&sim.nr_objects), 1);
	CHECK_EQ(xa_load(&xa, (nr_leaves - 1) * XA_CHUNK_SIZE - XA_CHUNK_SIZE + 1), 0);
	end();
}

static void
a_great_range_costs_what_is_in_it(void)
{
	uint64_t maps;

	begin();
	CHECK_EQ(xa_store(&xa, 0, xa_mk_value(1)), 0);
	CHECK_EQ(xa_store(&xa, UINT32_MAX, xa_mk_value(2)), 0);
	maps = atomic_load(&sim.nr_maps);
	CHECK_EQ(xa_erase_range(&xa, 1, UINT32_MAX - 1), 0);
	CHECK(atomic_load(&sim.nr_maps) - maps < 20 * XA_MAX_HEIGHT);
	/* Nothing had to be removed, so nobody had to wait for readers. */
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_UNLINK_STORE]), 0);
	/* A subtree goes by one store, whatever it holds. */
	for (uint32_t i = 0; i < 40; i++)
		CHECK_EQ(xa_store(&xa, (1u << 30) + i * XA_CHUNK_SIZE, sim_new_entry(&sim)), 0);
	CHECK_EQ(xa_erase_range(&xa, 1u << 30, (1u << 30) + (1u << 27) - 1), 0);
	CHECK(atomic_load(&sim.nr_at_site[PM_SITE_XA_UNLINK_STORE]) <= XA_MAX_HEIGHT);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_ERASE_STORE]), 0);
	CHECK_EQ(atomic_load(&sim.nr_objects), 0);
	end();
}

static void
erasing_succeeds_where_the_root_cannot_be_changed_for_want_of_space(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, 70000, sim_new_entry(&sim)), 0);
	sim.set_root_fails_in = sim.alloc_fails_in = 1;
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	CHECK(xa_empty(&xa));
	CHECK_EQ(atomic_load(&sim.nr_objects), 0);
	CHECK_EQ(sim.nr_nodes, 1);
	CHECK(xa_height(&xa) > 0);
	/* Any other failure is told. */
	sim.set_root_error = -EROFS;
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), -EROFS);
	sim.set_root_fails_in = sim.alloc_fails_in = -1;
	end();
}

static void
a_damaged_entry_is_erased_and_not_freed(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, 1, xa_mk_value(1)), 0);
	CHECK_EQ(xa_store(&xa, 2, xa_mk_value(1)), 0);
	atomic_fetch_xor(sim_slot(&sim, &xa, 0, 1), 1);
	CHECK_EQ(xa_err(xa_load(&xa, 1)), -EIO);
	CHECK_EQ(xa_erase_range(&xa, 1, 1), 0);
	CHECK_EQ(xa_load(&xa, 1), 0);
	CHECK_EQ(xa_load(&xa, 2), xa_mk_value(1));
	end();
}

static void
a_damaged_node_goes_if_all_of_it_is_erased(void)
{
	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		const uint32_t at = 1u << 31, first = xa_span_first(level, at), last = xa_span_last(level, at);

		begin();
		CHECK_EQ(xa_store(&xa, at, xa_mk_value(1)), 0);
		CHECK_EQ(xa_store(&xa, first - 1, xa_mk_value(2)), 0);
		CHECK_EQ(xa_store(&xa, 0, xa_mk_value(2)), 0);
		if (last != UINT32_MAX)
			CHECK_EQ(xa_store(&xa, last + 1, xa_mk_value(3)), 0);
		sim_check_leaks(&sim, &xa);
		atomic_store(sim_slot(&sim, &xa, level, at), UINT64_MAX);

		/* In part it cannot be erased; the rest of the range is. */
		CHECK_EQ(xa_erase_range(&xa, first - 1, last - 1), -EIO);
		CHECK_EQ(xa_load(&xa, first - 1), 0);
		CHECK_EQ(xa_erase_range(&xa, first + 1, UINT32_MAX), last == UINT32_MAX ? -EIO : -EIO);
		if (last != UINT32_MAX)
			CHECK_EQ(xa_load(&xa, last + 1), 0);
		CHECK_EQ(xa_err(xa_load(&xa, at)), -EIO);
		CHECK_EQ(xa_load(&xa, 0), xa_mk_value(2));

		/* As a whole it is gone, and so is what it held: it is for the next mark to find. */
		CHECK_EQ(xa_erase_range(&xa, first, last), 0);
		CHECK_EQ(xa_load(&xa, at), 0);
		CHECK_EQ(xa_store(&xa, at, xa_mk_value(5)), 0);
		CHECK_EQ(xa_load(&xa, at), xa_mk_value(5));
		xa_free_all(&xa);
		CHECK_EQ(sim.nr_nodes, level);
		xa_fini(&xa);
		sim_fini(&sim);
	}
}

static void
a_grace_period_is_waited_for_only_when_nodes_go(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, 1, xa_mk_value(1)), 0);
	CHECK_EQ(xa_store(&xa, 2, xa_mk_value(1)), 0);
	/* Under the read lock a grace period would never end. */
	xa_read_lock();
	CHECK_EQ(xa_erase_range(&xa, 2, UINT32_MAX), 0);
	xa_read_unlock();
	CHECK_EQ(xa_load(&xa, 2), 0);
	end();
}

UNIT_MAIN(CASE(nothing_is_erased_where_nothing_is), CASE(just_the_range_is_erased),
	  CASE(nodes_go_with_their_last_entry), CASE(leaves_that_were_emptied_before_go_when_a_range_passes),
	  CASE(more_subtrees_go_than_are_remembered_at_once), CASE(a_great_range_costs_what_is_in_it),
	  CASE(erasing_succeeds_where_the_root_cannot_be_changed_for_want_of_space),
	  CASE(a_damaged_entry_is_erased_and_not_freed), CASE(a_damaged_node_goes_if_all_of_it_is_erased),
	  CASE(a_grace_period_is_waited_for_only_when_nodes_go))
