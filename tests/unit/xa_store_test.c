/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Storing and loading one by one and in runs, at the edges of nodes and
 * heights, and when something fails on the way.
 */
#include <errno.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define NR_PAGES 1024

static struct sim_memory sim;
static struct xarray xa;

static void
begin(void)
{
	sim_init(&sim, NR_PAGES);
	sim_open(&sim, &xa);
}

static void
end(void)
{
	sim_check_leaks(&sim, &xa);
	xa_free_all(&xa);
	CHECK_EQ(atomic_load(&xa.nr_nodes), 0);
	sim_check_empty(&sim);
	xa_fini(&xa);
	sim_fini(&sim);
}

/* Indices around all places where something changes; in order, without doubles. */
static size_t
edges(uint32_t *ret)
{
	size_t nr = 0;

	ret[nr++] = 0;
	ret[nr++] = 1;
	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		for (int d = -1; d <= 1; d++) {
			uint32_t idx = (uint32_t)(xa_span(level) + (uint64_t)(int64_t)d);

			if (idx > ret[nr - 1])
				ret[nr++] = idx;
		}
	}
	ret[nr++] = UINT32_MAX - XA_CHUNK_SIZE;
	ret[nr++] = UINT32_MAX - 1;
	ret[nr++] = UINT32_MAX;
	return nr;
}

#define MAX_EDGES 64

static void
an_empty_array_holds_nothing(void)
{
	uint32_t idx[MAX_EDGES];

	begin();
	for (size_t i = 0, nr = edges(idx); i < nr; i++) {
		CHECK_EQ(xa_load(&xa, idx[i]), 0);
		CHECK_EQ(xa_erase(&xa, idx[i]), 0);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], 0, 0), 0);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], xa_mk_value(1), xa_mk_value(2)), 0);
	}
	CHECK(xa_empty(&xa));
	CHECK_EQ(xa_height(&xa), 0);
	/* None of it took a node. */
	CHECK_EQ(atomic_load(&sim.nr_allocs), 0);
	end();
}

static void
what_is_stored_is_loaded_at_every_edge(void)
{
	uint32_t idx[MAX_EDGES];
	xa_entry_t entries[MAX_EDGES];
	size_t nr = edges(idx);

	/* Upwards, downwards, and from the middle: other nodes and roots come first. */
	for (int order = 0; order < 3; order++) {
		begin();
		for (size_t n = 0; n < nr; n++) {
			size_t i = order == 0 ? n : order == 1 ? nr - 1 - n : (n + nr / 2) % nr;

			CHECK_EQ(xa_load(&xa, idx[i]), 0);
			entries[i] = sim_new_entry(&sim);
			CHECK_EQ(xa_store(&xa, idx[i], entries[i]), 0);
			CHECK_EQ(xa_load(&xa, idx[i]), entries[i]);
		}
		CHECK(!xa_empty(&xa));
		for (size_t i = 0; i < nr; i++) {
			xa_entry_t new = sim_new_entry(&sim);

			CHECK_EQ(xa_load(&xa, idx[i]), entries[i]);
			CHECK_EQ(xa_store(&xa, idx[i], new), entries[i]);
			sim_free_entry(&sim, entries[i]);
			entries[i] = new;
		}
		sim_check_leaks(&sim, &xa);
		for (size_t i = 0; i < nr; i++) {
			CHECK_EQ(xa_erase(&xa, idx[i]), entries[i]);
			CHECK_EQ(xa_load(&xa, idx[i]), 0);
			CHECK_EQ(xa_erase(&xa, idx[i]), 0);
			sim_free_entry(&sim, entries[i]);
		}
		CHECK(xa_empty(&xa));
		end();
	}
}

static void
the_tree_is_as_high_as_its_highest_index_needs(void)
{
	uint32_t idx[MAX_EDGES];

	for (size_t i = 0, nr = edges(idx); i < nr; i++) {
		unsigned int height = 1;

		while (height < XA_MAX_HEIGHT && idx[i] >= xa_span(height))
			height++;
		begin();
		CHECK_EQ(xa_store(&xa, idx[i], xa_mk_value(7)), 0);
		CHECK_EQ(xa_height(&xa), height);
		CHECK_EQ(sim.height, height);
		CHECK_EQ(sim.nr_nodes, height);
		CHECK_EQ(atomic_load(&sim.nr_set_roots), 1);
		/* A lower one changes nothing of that; the tree is opened again as it was. */
		CHECK_EQ(xa_store(&xa, 0, xa_mk_value(8)), idx[i] == 0 ? xa_mk_value(7) : 0);
		CHECK_EQ(xa_height(&xa), height);
		xa_fini(&xa);
		sim_open(&sim, &xa);
		CHECK_EQ(xa_load(&xa, 0), xa_mk_value(8));
		if (idx[i] != 0)
			CHECK_EQ(xa_load(&xa, idx[i]), xa_mk_value(7));
		end();
	}
}

static void
the_tree_grows_from_any_height_to_any_higher_one(void)
{
	for (unsigned int low = 1; low < XA_MAX_HEIGHT; low++) {
		for (unsigned int high = low + 1; high <= XA_MAX_HEIGHT; high++) {
			uint32_t idx = (uint32_t)(xa_span(high) - 1);

			begin();
			CHECK_EQ(xa_store(&xa, (uint32_t)(xa_span(low) - 1), xa_mk_value(1)), 0);
			CHECK_EQ(xa_height(&xa), low);
			CHECK_EQ(xa_store(&xa, idx, xa_mk_value(2)), 0);
			CHECK_EQ(xa_height(&xa), high);
			CHECK_EQ(xa_load(&xa, (uint32_t)(xa_span(low) - 1)), xa_mk_value(1));
			CHECK_EQ(xa_load(&xa, idx), xa_mk_value(2));
			end();
		}
	}
}

static void
values_keep_all_their_bits(void)
{
	static const uint32_t values[] = {0, 1, 0x80000000u, UINT32_MAX, 0x12345678u};

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		xa_entry_t entry = xa_mk_value(values[i]);

		CHECK(xa_is_value(entry));
		CHECK(!xa_is_err(entry));
		CHECK_EQ(xa_err(entry), 0);
		CHECK_EQ(xa_to_value(entry), values[i]);
		CHECK(!xa_is_err(xa_store(&xa, 3, entry)));
		CHECK_EQ(xa_load(&xa, 3), entry);
	}
	CHECK(!xa_is_value(0));
	CHECK(!xa_is_value(xa_mk_entry(XA_KIND_PAGE, 1, 1)));
	CHECK(!xa_is_value(xa_mk_err(-EIO)));
	CHECK_EQ(xa_err(xa_mk_err(-EIO)), -EIO);
	CHECK(xa_is_err(xa_mk_err(-EIO)));
	end();
}

static void
every_kind_of_entry_can_be_stored(void)
{
	const xa_entry_t entries[] = {
		xa_mk_entry(XA_KIND_PAGE, 0, 0),
		xa_mk_entry(XA_KIND_RUN, UINT32_MAX, 0xfffffff),
		xa_mk_entry(XA_KIND_BUFFER, 5, 1),
		xa_mk_entry(XA_KIND_BAD, UINT32_MAX, 0),
		xa_mk_value(9),
	};
	xa_entry_t old = 0;

	sim_init(&sim, NR_PAGES);
	sim_open(&sim, &xa);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		CHECK_EQ(xa_store(&xa, XA_CHUNK_SIZE, entries[i]), old);
		CHECK_EQ(xa_load(&xa, XA_CHUNK_SIZE), entries[i]);
		CHECK_EQ(xa_cmpxchg(&xa, XA_CHUNK_SIZE, entries[i], entries[i]), entries[i]);
		old = entries[i];
	}
	CHECK_EQ(xa_erase(&xa, XA_CHUNK_SIZE), old);
	end();
}

static void
what_is_no_entry_is_refused(void)
{
	begin();
	for (unsigned int kind = 0; kind < 16; kind++) {
		xa_entry_t bad[2] = {xa_mk_value(1), xa_mk_entry((enum xa_kind)kind, 1, 1)}, old[2] = {1, 2};

		if (kind == XA_KIND_PAGE || kind == XA_KIND_RUN || kind == XA_KIND_BUFFER)
			continue;
		CHECK_EQ(xa_err(xa_store(&xa, 0, bad[1])), -EINVAL);
		CHECK_EQ(xa_err(xa_cmpxchg(&xa, 0, 0, bad[1])), -EINVAL);
		CHECK_EQ(xa_exchange(&xa, 0, 2, bad, old), -EINVAL);
		CHECK_EQ(old[0], 1);
	}
	CHECK_EQ(xa_err(xa_store(&xa, 0, xa_mk_err(-EIO))), -EINVAL);
	CHECK(xa_empty(&xa));
	end();
}

static void
cmpxchg_replaces_only_what_was_expected(void)
{
	uint32_t idx[MAX_EDGES];

	begin();
	for (size_t i = 0, nr = edges(idx); i < nr; i++) {
		xa_entry_t a = sim_new_entry(&sim), b = sim_new_entry(&sim);

		CHECK_EQ(xa_cmpxchg(&xa, idx[i], b, a), 0);
		CHECK_EQ(xa_load(&xa, idx[i]), 0);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], 0, a), 0);
		CHECK_EQ(xa_load(&xa, idx[i]), a);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], 0, b), a);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], b, a), a);
		CHECK_EQ(xa_load(&xa, idx[i]), a);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], a, b), a);
		CHECK_EQ(xa_load(&xa, idx[i]), b);
		sim_free_entry(&sim, a);
		CHECK_EQ(xa_cmpxchg(&xa, idx[i], b, 0), b);
		CHECK_EQ(xa_load(&xa, idx[i]), 0);
		sim_free_entry(&sim, b);
	}
	end();
}

#define RUN (3 * XA_CHUNK_SIZE)

static void
a_run_is_exchanged_across_leaves(void)
{
	static xa_entry_t new[RUN], old[RUN];
	static const uint32_t starts[] = {0, 1, XA_CHUNK_SIZE - 1, 5 * XA_CHUNK_SIZE - 2, UINT32_MAX - RUN + 1};

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		begin();
		for (uint32_t i = 0; i < RUN; i++)
			new[i] = i % 3 == 1 ? 0 : sim_new_entry(&sim);
		CHECK_EQ(xa_exchange(&xa, starts[s], RUN, new, old), RUN);
		for (uint32_t i = 0; i < RUN; i++) {
			CHECK_EQ(old[i], 0);
			CHECK_EQ(xa_load(&xa, starts[s] + i), new[i]);
		}
		if (starts[s] > 0)
			CHECK_EQ(xa_load(&xa, starts[s] - 1), 0);
		if (starts[s] < UINT32_MAX - RUN)
			CHECK_EQ(xa_load(&xa, starts[s] + RUN), 0);
		memset(old, 0xff, sizeof old);
		/* Part of it back to nothing. */
		CHECK_EQ(xa_exchange(&xa, starts[s] + 1, RUN - 2, (const xa_entry_t[RUN]){0}, old), RUN - 2);
		for (uint32_t i = 1; i < RUN - 1; i++) {
			CHECK_EQ(old[i - 1], new[i]);
			sim_free_entry(&sim, old[i - 1]);
			CHECK_EQ(xa_load(&xa, starts[s] + i), 0);
		}
		CHECK_EQ(xa_load(&xa, starts[s]), new[0]);
		CHECK_EQ(xa_load(&xa, starts[s] + RUN - 1), new[RUN - 1]);
		end();
	}
}

static void
a_run_costs_one_fence_where_there_are_leaves(void)
{
	static xa_entry_t new[RUN], old[RUN];

	begin();
	for (uint32_t i = 0; i < RUN; i++)
		new[i] = xa_mk_value(i);
	sim_make_leaves(&xa, 0, RUN - 1);
	memset(sim.nr_at_site, 0, sizeof sim.nr_at_site);
	CHECK_EQ(xa_exchange(&xa, 0, RUN, new, old), RUN);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_SLOT_FENCE]), 1);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_SLOT_FLUSH]), 3);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_LINK_FENCE]), 0);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_SLOT_STORE]), RUN);
	/* Nor does erasing what is not there write anything, but it does fence. */
	CHECK_EQ(xa_exchange(&xa, RUN, 1, &(xa_entry_t){0}, old), 1);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_SLOT_STORE]), RUN);
	CHECK_EQ(atomic_load(&sim.nr_at_site[PM_SITE_XA_SLOT_FENCE]), 2);
	end();
}

static void
a_run_that_does_not_fit_is_refused(void)
{
	xa_entry_t new[2] = {xa_mk_value(1), xa_mk_value(2)}, old[2];

	begin();
	CHECK_EQ(xa_exchange(&xa, UINT32_MAX, 2, new, old), -EINVAL);
	CHECK_EQ(xa_exchange(&xa, UINT32_MAX, 1, new, old), 1);
	CHECK_EQ(xa_exchange(&xa, UINT32_MAX, 0, new, old), 0);
	CHECK_EQ(xa_exchange(&xa, UINT32_MAX - 1, 2, new, old), 2);
	CHECK_EQ(old[1], new[0]);
	end();
}

/* Fail the n-th allocation, or root, for every n that there is. */
static void
store_fails_at(uint32_t there, uint32_t idx, bool root, int error)
{
	for (int n = 1;; n++) {
		xa_entry_t ret;
		uint64_t was_root;

		begin();
		if (there != UINT32_MAX)
			CHECK_EQ(xa_store(&xa, there, xa_mk_value(5)), 0);
		was_root = atomic_load(&xa.root);
		*(root ? &sim.set_root_fails_in : &sim.alloc_fails_in) = n;
		sim.set_root_error = error;
		ret = n % 2 ? xa_store(&xa, idx, xa_mk_value(1)) : xa_cmpxchg(&xa, idx, 0, xa_mk_value(1));
		if (!xa_is_err(ret)) {
			CHECK(n > 1);
			end();
			return;
		}
		CHECK_EQ(xa_err(ret), root ? error : -ENOSPC);
		CHECK_EQ(atomic_load(&xa.root), was_root);
		CHECK_EQ(xa_load(&xa, idx), 0);
		sim_check_leaks(&sim, &xa);
		/* It fails, and goes on as if nothing had been. */
		sim.set_root_fails_in = sim.alloc_fails_in = -1;
		CHECK_EQ(xa_store(&xa, idx, xa_mk_value(1)), 0);
		CHECK_EQ(xa_load(&xa, idx), xa_mk_value(1));
		if (there != UINT32_MAX)
			CHECK_EQ(xa_load(&xa, there), xa_mk_value(5));
		end();
	}
}

static void
a_store_that_fails_leaves_the_tree_as_it_was(void)
{
	uint32_t idx[MAX_EDGES];
	size_t nr = edges(idx), step = nr > 20 ? 4 : 1;

	store_fails_at(UINT32_MAX, 0, false, 0);
	store_fails_at(UINT32_MAX, 0, true, -EROFS);
	store_fails_at(UINT32_MAX, UINT32_MAX - 1, false, 0);
	store_fails_at(UINT32_MAX, UINT32_MAX - 1, true, -EIO);
	/* A tall tree has many edges; all remainders of three come by. */
	for (size_t i = 2; i < nr; i += step) {
		/* In an existing tree: a higher root, or only a path. */
		if (idx[i] >= XA_CHUNK_SIZE) {
			store_fails_at(0, idx[i], false, 0);
			store_fails_at(0, idx[i], true, -ENOSPC);
		}
		if (idx[i] < UINT32_MAX - XA_CHUNK_SIZE)
			store_fails_at(UINT32_MAX - 1, idx[i], false, 0);
	}
}

static void
a_run_that_cannot_go_on_tells_how_far_it_came(void)
{
	static xa_entry_t new[RUN], old[RUN];

	begin();
	for (uint32_t i = 0; i < RUN; i++)
		new[i] = xa_mk_value(i);
	CHECK_EQ(xa_store(&xa, 2 * XA_CHUNK_SIZE, xa_mk_value(99)), 0);
	sim.alloc_fails_in = 2;
	CHECK_EQ(xa_exchange(&xa, XA_CHUNK_SIZE - 1, RUN, new, old), 1);
	CHECK_EQ(xa_load(&xa, XA_CHUNK_SIZE - 1), new[0]);
	CHECK_EQ(xa_load(&xa, XA_CHUNK_SIZE), 0);
	CHECK_EQ(xa_exchange(&xa, XA_CHUNK_SIZE, 1, new, old), -ENOSPC);
	/* Erasing needs no room. */
	memset(new, 0, sizeof new);
	CHECK_EQ(xa_exchange(&xa, XA_CHUNK_SIZE - 1, RUN, new, old), RUN);
	CHECK_EQ(old[0], xa_mk_value(0));
	CHECK_EQ(old[XA_CHUNK_SIZE + 1], xa_mk_value(99));
	end();
}

static void
where_there_are_leaves_a_store_needs_no_page(void)
{
	static const uint32_t starts[] = {0, XA_CHUNK_SIZE - 1, UINT32_MAX - RUN + 1};

	for (size_t s = 0; s < ARRAY_SIZE(starts); s++) {
		begin();
		sim_make_leaves(&xa, starts[s], starts[s] + RUN - 1);
		CHECK(xa_empty(&xa));
		sim.alloc_fails_in = 1;
		for (uint32_t i = 0; i < RUN; i++)
			CHECK_EQ(xa_store(&xa, starts[s] + i, xa_mk_value(i)), 0);
		/* What is not there cannot be had. */
		CHECK_EQ(xa_err(xa_store(&xa, 1u << 31, xa_mk_value(0))), -ENOSPC);
		end();
	}
}

static void
nothing_is_stored_behind_the_end(void)
{
	static xa_entry_t new[RUN], old[RUN];
	const uint32_t last = XA_CHUNK_SIZE + 1;

	begin();
	for (uint32_t i = 0; i < RUN; i++)
		new[i] = xa_mk_value(i);
	CHECK_EQ(xa_store(&xa, last + 1, xa_mk_value(5)), 0);
	xa_set_end(&xa, (uint64_t)last + 1);
	CHECK_EQ(xa_exchange(&xa, 0, RUN, new, old), last + 1);
	CHECK_EQ(xa_exchange(&xa, last, 1, new, old), 1);
	CHECK_EQ(xa_exchange(&xa, last + 1, 1, new, old), -ENXIO);
	CHECK_EQ(xa_err(xa_store(&xa, last + 1, new[0])), -ENXIO);
	CHECK_EQ(xa_err(xa_erase(&xa, last + 1)), -ENXIO);
	CHECK_EQ(xa_err(xa_cmpxchg(&xa, last + 1, xa_mk_value(5), new[0])), -ENXIO);
	CHECK_EQ(xa_err(xa_store(&xa, UINT32_MAX, new[0])), -ENXIO);
	CHECK_EQ(xa_load(&xa, last + 1), xa_mk_value(5));
	CHECK_EQ(xa_erase_range(&xa, last + 1, UINT32_MAX), 0);
	CHECK_EQ(xa_load(&xa, last + 1), 0);
	CHECK_EQ(xa_load(&xa, last), new[0]);
	xa_set_end(&xa, 0);
	CHECK_EQ(xa_err(xa_store(&xa, 0, new[0])), -ENXIO);
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), -ENXIO);
	CHECK_EQ(xa_load(&xa, last), new[0]);
	xa_set_end(&xa, UINT64_C(1) << 32);
	CHECK_EQ(xa_store(&xa, UINT32_MAX, new[0]), 0);
	end();
}

static void
a_cursor_loads_what_load_does(void)
{
	uint32_t idx[MAX_EDGES];
	size_t nr = edges(idx);
	XA_STATE(xas, &xa);

	begin();
	for (size_t i = 0; i < nr; i += 2)
		CHECK_EQ(xa_store(&xa, idx[i], xa_mk_value((uint32_t)i)), 0);
	xa_read_lock();
	for (size_t n = 0; n < 4 * nr; n++) {
		size_t i = unit_random() % nr;

		CHECK_EQ(xas_load(&xas, idx[i]), i % 2 ? 0 : xa_mk_value((uint32_t)i));
		CHECK_EQ(xas_load(&xas, idx[i]), xa_load(&xa, idx[i]));
	}
	xa_read_unlock();
	end();
}

static void
a_cursor_skips_what_has_no_node(void)
{
	XA_STATE(xas, &xa);
	XA_STATE(xas2, &xa);
	const uint32_t far = (uint32_t)(xa_span(2) * 3);

	begin();
	xa_read_lock();
	CHECK_EQ(xas_load(&xas, 5), 0);
	CHECK_EQ(xas_skip(&xas, 5), (UINT64_C(1) << 32) - 5);
	CHECK_EQ(xas_skip(&xas, UINT32_MAX), 1);
	xa_read_unlock();
	CHECK_EQ(xa_store(&xa, far, xa_mk_value(1)), 0);
	xa_read_lock();
	CHECK_EQ(xas_load(&xas2, 5), 0);
	CHECK_EQ(xas_skip(&xas2, 5), far - 5);
	CHECK_EQ(xas_load(&xas2, far + 1), 0);
	CHECK_EQ(xas_skip(&xas2, far + 1), 1);
	CHECK_EQ(xas_load(&xas2, far + XA_CHUNK_SIZE), 0);
	CHECK_EQ(xas_skip(&xas2, far + XA_CHUNK_SIZE) % XA_CHUNK_SIZE, 0);
	CHECK(xas_skip(&xas2, far + XA_CHUNK_SIZE) >= XA_CHUNK_SIZE);
	xa_read_unlock();
	end();
}

static void
no_two_places_prove_the_same(void)
{
	/* Lineages of one pool may differ in one bit. */
	for (uint64_t lineage = 0; lineage < 4; lineage++) {
		for (uint32_t idx = 0; idx < 64; idx++) {
			for (uint64_t l2 = 0; l2 < 4; l2++) {
				for (uint32_t i2 = 0; i2 < 64; i2++) {
					if (lineage == l2 && idx == i2)
						continue;
					CHECK(xa_hole_slot(lineage, 0, idx) != xa_hole_slot(l2, 0, i2));
				}
			}
			CHECK(xa_hole_slot(lineage, 0, idx) != xa_hole_slot(lineage, 1, idx));
			CHECK(xa_node_slot(lineage, 0, idx, 7) != xa_node_slot(lineage, 1, idx, 7));
			CHECK(xa_node_slot(lineage, 0, idx, 7) != xa_node_slot(lineage, 0, idx + 1, 7));
			CHECK(xa_proof_at(xa_place_key(lineage), 0, idx, XA_KIND_VALUE, 7) !=
			      xa_proof_at(xa_place_key(lineage), 0, idx, XA_KIND_BAD, 7));
			CHECK(xa_content_seed(lineage, idx, XA_KIND_PAGE) !=
			      xa_content_seed(lineage, idx + 1, XA_KIND_PAGE));
			CHECK(xa_content_seed(lineage, idx, XA_KIND_PAGE) !=
			      xa_content_seed(lineage, idx, XA_KIND_RUN));
			CHECK(xa_content_seed(lineage, idx, XA_KIND_PAGE) !=
			      xa_content_seed(lineage + 1, idx, XA_KIND_PAGE));
		}
	}
}

/* The media format: these numbers must never change. */
static void
the_media_format_is_what_it_always_was(void)
{
	CHECK_EQ(xa_hole_slot(1, 0, 0), UINT64_C(0x7422c0b6529b2ac4));
	CHECK_EQ(xa_hole_slot(SIM_LINEAGE, 2, 0x80000000u), UINT64_C(0x74edc406d1a0153e));
	CHECK_EQ(xa_node_slot(SIM_LINEAGE, 1, 0x40000, 0xdeadbeef), UINT64_C(0xad0d92d9deadbeef));
	CHECK_EQ(xa_proof_at(xa_place_key(SIM_LINEAGE), 0, UINT32_MAX, XA_KIND_VALUE, 42), 0x27e79fc);
	CHECK_EQ(xa_content_seed(SIM_LINEAGE, 77, XA_KIND_PAGE), 0xb4c2292f);
}

static void
a_root_that_does_not_prove_itself_is_refused(void)
{
	struct xarray bad;
	uint32_t idx = 4;

	begin();
	CHECK_EQ(xa_store(&xa, XA_CHUNK_SIZE, xa_mk_value(1)), 0);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, sim.root, sim.height), 0);
	CHECK_EQ(xa_load(&bad, XA_CHUNK_SIZE), xa_mk_value(1));
	xa_fini(&bad);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, sim.root, XA_MAX_HEIGHT + 1), -EINVAL);
	xa_fini(&bad);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, sim.root, sim.height + 1), -EIO);
	xa_fini(&bad);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, sim.root, 0), -EIO);
	xa_fini(&bad);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, 0, sim.height), -EIO);
	xa_fini(&bad);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE + 1, sim.root, sim.height), -EIO);
	xa_fini(&bad);
	/* A page that cannot be a node, with the best of proofs. */
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, xa_node_slot(SIM_LINEAGE, 1, 0, NR_PAGES),
			 2),
		 -EIO);
	xa_fini(&bad);
	CHECK_EQ(xa_init(&bad, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, sim.root ^ 1, sim.height), -EIO);
	/* All answers are -EIO then, and nothing is changed. */
	CHECK_EQ(xa_err(xa_load(&bad, 0)), -EIO);
	CHECK_EQ(xa_err(xa_store(&bad, 0, xa_mk_value(1))), -EIO);
	CHECK_EQ(xa_err(xa_erase(&bad, UINT32_MAX)), -EIO);
	CHECK_EQ(xa_err(xa_cmpxchg(&bad, 9, 0, xa_mk_value(1))), -EIO);
	CHECK_EQ(xa_err(xa_find(&bad, &idx, UINT32_MAX)), -EIO);
	CHECK_EQ(idx, 4);
	CHECK_EQ(xa_find_after(&bad, &idx, UINT32_MAX), 0);
	CHECK_EQ(xa_erase_range(&bad, 0, UINT32_MAX - 1), -EIO);
	CHECK(!xa_empty(&bad));
	xa_free_all(&bad);
	xa_fini(&bad);
	end();
}

static void
erasing_everything_heals_a_damaged_root(void)
{
	begin();
	CHECK_EQ(xa_store(&xa, 9, xa_mk_value(1)), 0);
	xa_fini(&xa);
	sim.nr_nodes = 0; /* what was below is lost until the next mark */
	CHECK_EQ(xa_init(&xa, &sim_memory_ops, &sim, &sim.pm, SIM_LINEAGE, sim.root ^ 1, sim.height), -EIO);
	sim.set_root_fails_in = 1;
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), -ENOSPC);
	CHECK_EQ(xa_err(xa_load(&xa, 0)), -EIO);
	sim.set_root_fails_in = -1;
	CHECK_EQ(xa_erase_range(&xa, 0, UINT32_MAX), 0);
	CHECK_EQ(sim.root, 0);
	CHECK_EQ(xa_load(&xa, 9), 0);
	CHECK_EQ(xa_store(&xa, 9, xa_mk_value(2)), 0);
	CHECK_EQ(xa_load(&xa, 9), xa_mk_value(2));
	end();
}

UNIT_MAIN(CASE(an_empty_array_holds_nothing), CASE(what_is_stored_is_loaded_at_every_edge),
	  CASE(the_tree_is_as_high_as_its_highest_index_needs), CASE(the_tree_grows_from_any_height_to_any_higher_one),
	  CASE(values_keep_all_their_bits), CASE(every_kind_of_entry_can_be_stored), CASE(what_is_no_entry_is_refused),
	  CASE(cmpxchg_replaces_only_what_was_expected), CASE(a_run_is_exchanged_across_leaves),
	  CASE(a_run_costs_one_fence_where_there_are_leaves), CASE(a_run_that_does_not_fit_is_refused),
	  CASE(a_store_that_fails_leaves_the_tree_as_it_was), CASE(a_run_that_cannot_go_on_tells_how_far_it_came),
	  CASE(where_there_are_leaves_a_store_needs_no_page), CASE(nothing_is_stored_behind_the_end),
	  CASE(a_cursor_loads_what_load_does), CASE(a_cursor_skips_what_has_no_node),
	  CASE(no_two_places_prove_the_same), CASE(the_media_format_is_what_it_always_was),
	  CASE(a_root_that_does_not_prove_itself_is_refused), CASE(erasing_everything_heals_a_damaged_root))
