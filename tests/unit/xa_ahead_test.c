/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A store by the leaf that was found ahead of it, whatever happens to the tree
 * in between.
 */
#include <errno.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define AT (5 * XA_CHUNK_SIZE + 1)

static struct sim_memory sim;
static struct xarray xa;

static void
begin(void)
{
	sim_init(&sim, 256);
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

/* Store a new entry at @idx by @ahead.  Return: what was there. */
static xa_entry_t
store_ahead(const struct xa_ahead *ahead, uint32_t idx)
{
	xa_entry_t new = sim_new_entry(&sim), old;

	CHECK_EQ(xa_exchange_ahead(&xa, ahead, idx, 1, &new, &old), 1);
	CHECK_EQ(xa_load(&xa, idx), new);
	return old;
}

static void
a_leaf_that_is_there_is_used_without_a_way_down(void)
{
	xa_entry_t first;
	struct xa_ahead ahead;

	begin();
	CHECK_EQ(xa_store(&xa, AT, sim_new_entry(&sim)), 0);
	first = xa_load(&xa, AT);
	xa_look_ahead(&xa, AT, &ahead);
	CHECK(ahead.leaf != NULL);
	CHECK_EQ(ahead.first, 5 * XA_CHUNK_SIZE);
	CHECK_EQ(store_ahead(&ahead, AT), first);
	sim_free_entry(&sim, first);
	/* Another index of the leaf, and one of no leaf yet: by the same way. */
	CHECK_EQ(store_ahead(&ahead, AT + 1), 0);
	CHECK_EQ(store_ahead(&ahead, AT + XA_CHUNK_SIZE), 0);
	end();
}

static void
where_there_is_no_leaf_one_is_made(void)
{
	struct xa_ahead ahead;

	begin();
	xa_look_ahead(&xa, AT, &ahead);
	CHECK(ahead.leaf == NULL);
	CHECK_EQ(store_ahead(&ahead, AT), 0);
	end();
}

static void
a_leaf_that_was_removed_meanwhile_is_not_stored_to(void)
{
	struct xa_ahead ahead;

	begin();
	CHECK_EQ(xa_store(&xa, AT, sim_new_entry(&sim)), 0);
	CHECK_EQ(xa_store(&xa, 0, sim_new_entry(&sim)), 0);
	xa_look_ahead(&xa, AT, &ahead);
	CHECK(ahead.leaf != NULL);
	CHECK_EQ(xa_erase_range(&xa, AT, AT), 0);
	CHECK_EQ(store_ahead(&ahead, AT), 0);
	/* And another one at its place by now. */
	CHECK_EQ(store_ahead(&ahead, AT + 1), 0);
	end();
}

static void
a_leaf_is_not_remembered_while_nodes_are_being_removed(void)
{
	struct xa_ahead ahead;

	begin();
	CHECK_EQ(xa_store(&xa, AT, sim_new_entry(&sim)), 0);
	/* As a removal does it, before it waits for those who were inside. */
	atomic_store(&xa.unlinking, true);
	atomic_fetch_add(&xa.nr_unlinks, 1);
	xa_look_ahead(&xa, AT, &ahead);
	CHECK(ahead.leaf == NULL);
	atomic_store(&xa.unlinking, false);
	end();
}

static void
a_tree_that_grew_meanwhile_keeps_its_leaves(void)
{
	struct xa_ahead ahead;
	xa_entry_t first;

	begin();
	CHECK_EQ(xa_store(&xa, AT, sim_new_entry(&sim)), 0);
	first = xa_load(&xa, AT);
	xa_look_ahead(&xa, AT, &ahead);
	CHECK_EQ(xa_store(&xa, UINT32_MAX, sim_new_entry(&sim)), 0);
	CHECK_EQ(store_ahead(&ahead, AT), first);
	sim_free_entry(&sim, first);
	end();
}

static void
nothing_is_stored_behind_an_end_that_came_meanwhile(void)
{
	xa_entry_t new = xa_mk_value(1), old;
	struct xa_ahead ahead;

	begin();
	CHECK_EQ(xa_store(&xa, AT, sim_new_entry(&sim)), 0);
	xa_look_ahead(&xa, AT, &ahead);
	xa_set_end(&xa, AT);
	CHECK_EQ(xa_exchange_ahead(&xa, &ahead, AT, 1, &new, &old), -ENXIO);
	CHECK_EQ(xa_exchange_ahead(&xa, &ahead, AT - 1, 2, (xa_entry_t[]){new, new}, (xa_entry_t[2]){0}), 1);
	CHECK(!xa_is_value(xa_load(&xa, AT)));
	end();
}

static void
a_run_goes_on_beyond_the_leaf(void)
{
	static xa_entry_t new[3 * XA_CHUNK_SIZE], old[3 * XA_CHUNK_SIZE];
	struct xa_ahead ahead;

	begin();
	CHECK_EQ(xa_store(&xa, AT, xa_mk_value(9)), 0);
	xa_look_ahead(&xa, AT, &ahead);
	for (uint32_t i = 0; i < ARRAY_SIZE(new); i++)
		new[i] = xa_mk_value(i);
	CHECK_EQ(xa_exchange_ahead(&xa, &ahead, AT, ARRAY_SIZE(new), new, old), ARRAY_SIZE(new));
	CHECK_EQ(old[0], xa_mk_value(9));
	for (uint32_t i = 0; i < ARRAY_SIZE(new); i++) {
		CHECK(i == 0 || old[i] == 0);
		CHECK_EQ(xa_load(&xa, AT + i), new[i]);
	}
	end();
}

UNIT_MAIN(CASE(a_leaf_that_is_there_is_used_without_a_way_down), CASE(where_there_is_no_leaf_one_is_made),
	  CASE(a_leaf_that_was_removed_meanwhile_is_not_stored_to),
	  CASE(a_leaf_is_not_remembered_while_nodes_are_being_removed),
	  CASE(a_tree_that_grew_meanwhile_keeps_its_leaves), CASE(nothing_is_stored_behind_an_end_that_came_meanwhile),
	  CASE(a_run_goes_on_beyond_the_leaf))
