/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding what is there, in order, and nothing else.
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
	xa_fini(&xa);
	sim_fini(&sim);
}

static const uint32_t spots[] = {0,
				 1,
				 XA_CHUNK_SIZE - 1,
				 XA_CHUNK_SIZE,
				 17 * XA_CHUNK_SIZE + 2,
				 1u << 20,
				 (1u << 20) + 1,
				 (1u << 27) - 1,
				 1u << 27,
				 (1u << 31) - 1,
				 1u << 31,
				 UINT32_MAX - XA_CHUNK_SIZE,
				 UINT32_MAX - 1,
				 UINT32_MAX};

static void
put_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(spots); i++)
		CHECK_EQ(xa_store(&xa, spots[i], xa_mk_value((uint32_t)i)), 0);
}

static void
nothing_is_found_in_an_empty_array(void)
{
	uint32_t idx = 3;

	begin();
	CHECK_EQ(xa_find(&xa, &idx, UINT32_MAX), 0);
	CHECK_EQ(xa_find_after(&xa, &idx, UINT32_MAX), 0);
	CHECK_EQ(idx, 3);
	CHECK(xa_empty(&xa));
	end();
}

static void
each_entry_is_found_once_and_in_order(void)
{
	uint32_t idx;
	xa_entry_t entry;
	size_t n = 0;

	begin();
	put_all();
	xa_for_each(&xa, idx, entry) {
		CHECK(n < ARRAY_SIZE(spots));
		CHECK_EQ(idx, spots[n]);
		CHECK_EQ(entry, xa_mk_value((uint32_t)n));
		n++;
	}
	CHECK_EQ(n, ARRAY_SIZE(spots));
	/* From each spot, from one behind it, and up to each. */
	for (size_t i = 0; i < ARRAY_SIZE(spots); i++) {
		idx = spots[i];
		CHECK_EQ(xa_find(&xa, &idx, UINT32_MAX), xa_mk_value((uint32_t)i));
		CHECK_EQ(idx, spots[i]);
		entry = xa_find_after(&xa, &idx, UINT32_MAX);
		CHECK_EQ(entry, i + 1 < ARRAY_SIZE(spots) ? xa_mk_value((uint32_t)i + 1) : 0);
		CHECK_EQ(idx, spots[MIN(i + 1, ARRAY_SIZE(spots) - 1)]);
		n = 0;
		xa_for_each_range(&xa, idx, entry, 1, spots[i])
			n++;
		CHECK_EQ(n, i);
		n = 0;
		xa_for_each_start(&xa, idx, entry, spots[i])
			n++;
		CHECK_EQ(n, ARRAY_SIZE(spots) - i);
	}
	end();
}

static void
what_lies_behind_the_limit_is_not_found(void)
{
	uint32_t idx = 2;

	begin();
	CHECK_EQ(xa_store(&xa, 1000, xa_mk_value(1)), 0);
	CHECK_EQ(xa_find(&xa, &idx, 999), 0);
	CHECK_EQ(idx, 2);
	CHECK_EQ(xa_find(&xa, &idx, 1000), xa_mk_value(1));
	CHECK_EQ(idx, 1000);
	idx = 1001;
	CHECK_EQ(xa_find(&xa, &idx, 1000), 0);
	idx = 1000;
	CHECK_EQ(xa_find_after(&xa, &idx, 1000), 0);
	idx = UINT32_MAX;
	CHECK_EQ(xa_find_after(&xa, &idx, UINT32_MAX), 0);
	CHECK_EQ(idx, UINT32_MAX);
	end();
}

static void
empty_leaves_are_passed_over(void)
{
	const uint32_t nr_leaves = 300, last = nr_leaves * XA_CHUNK_SIZE;
	uint32_t idx = 0;

	begin();
	sim_make_leaves(&xa, 0, last);
	CHECK(xa_empty(&xa));
	CHECK_EQ(xa_store(&xa, last, xa_mk_value(5)), 0);
	CHECK_EQ(xa_find(&xa, &idx, UINT32_MAX), xa_mk_value(5));
	CHECK_EQ(idx, last);
	CHECK_EQ(xa_find_after(&xa, &idx, UINT32_MAX), 0);
	end();
}

static void
finding_in_a_thin_tree_looks_at_little(void)
{
	uint32_t idx = 1;
	uint64_t before;

	begin();
	CHECK_EQ(xa_store(&xa, 0, xa_mk_value(1)), 0);
	CHECK_EQ(xa_store(&xa, UINT32_MAX, xa_mk_value(2)), 0);
	before = atomic_load(&sim.nr_maps);
	CHECK_EQ(xa_find(&xa, &idx, UINT32_MAX), xa_mk_value(2));
	CHECK_EQ(idx, UINT32_MAX);
	/* One way down for each level at the most. */
	CHECK(atomic_load(&sim.nr_maps) - before <= XA_MAX_HEIGHT * (XA_MAX_HEIGHT + 1));
	end();
}

/* A damaged slot of @level at @idx: what is found up to its last index, and behind. */
static void
damage_at_level(unsigned int level)
{
	const uint32_t at = 1u << 31, first = xa_span_first(level, at + 3), last = xa_span_last(level, at + 3);
	uint64_t seen_errors = 0;
	xa_entry_t entry;
	pm_slot *slot;
	uint64_t was;
	uint32_t idx;

	begin();
	put_all();
	CHECK_EQ(xa_store(&xa, at + 3, xa_mk_value(77)), 0);
	slot = sim_slot(&sim, &xa, level, at + 3);
	was = atomic_load(slot);
	atomic_store(slot, 0);

	/* A loop over all meets it as one error, and all that is not behind it. */
	xa_for_each(&xa, idx, entry) {
		if (!xa_is_err(entry)) {
			CHECK(idx < first || idx > last);
			CHECK_EQ(entry, xa_load(&xa, idx));
			continue;
		}
		CHECK_EQ(xa_err(entry), -EIO);
		CHECK_EQ(idx, first);
		seen_errors++;
	}
	CHECK_EQ(seen_errors, 1);

	/* Within the limits of a search. */
	idx = at + 3;
	CHECK_EQ(xa_err(xa_find(&xa, &idx, at + 3)), -EIO);
	CHECK_EQ(idx, at + 3);
	CHECK_EQ(xa_find_after(&xa, &idx, last), 0);
	CHECK_EQ(xa_err(xa_load(&xa, at + 3)), -EIO);
	CHECK(!xa_empty(&xa));
	atomic_store(slot, was);
	CHECK_EQ(xa_load(&xa, at + 3), xa_mk_value(77));
	end();
}

static void
a_search_goes_on_behind_what_is_damaged(void)
{
	for (unsigned int level = 0; level < XA_MAX_HEIGHT; level++)
		damage_at_level(level);
}

UNIT_MAIN(CASE(nothing_is_found_in_an_empty_array), CASE(each_entry_is_found_once_and_in_order),
	  CASE(what_lies_behind_the_limit_is_not_found), CASE(empty_leaves_are_passed_over),
	  CASE(finding_in_a_thin_tree_looks_at_little), CASE(a_search_goes_on_behind_what_is_damaged))
