/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damage of every kind to slots and nodes: noticed, at its place only, and
 * gone when the place is stored again.
 */
#include <endian.h>
#include <errno.h>

#include "tests/unit/sim_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

static struct sim_memory sim;
static struct xarray xa;

/* Around here is the damage; the rest of the tree must not notice. */
#define AT (1u << 31)
#define NR_ELSEWHERE 6
static const uint32_t elsewhere[NR_ELSEWHERE] = {0, XA_CHUNK_SIZE, 1u << 28, AT - 1, AT + (1u << 29), UINT32_MAX};

static void
begin(void)
{
	sim_init(&sim, 1024);
	sim_open(&sim, &xa);
	for (uint32_t i = 0; i < NR_ELSEWHERE; i++)
		CHECK_EQ(xa_store(&xa, elsewhere[i], xa_mk_value(i)), 0);
	for (uint32_t i = 0; i < XA_CHUNK_SIZE; i++)
		CHECK_EQ(xa_store(&xa, AT + i, xa_mk_value(i)), 0);
}

static void
end(void)
{
	for (uint32_t i = 0; i < NR_ELSEWHERE; i++)
		CHECK_EQ(xa_load(&xa, elsewhere[i]), xa_mk_value(i));
	xa_fini(&xa);
	sim_fini(&sim);
}

struct damage_seen {
	uint64_t nr;
	uint32_t first;
	unsigned int level;
	unsigned int times;
};

static void
see_damage(void *opaque, uint32_t idx, uint64_t nr, unsigned int level, uint64_t slot)
{
	struct damage_seen *seen = opaque;

	(void)slot;
	if (seen->times++ == 0)
		seen->first = idx;
	seen->nr += nr;
	seen->level = level;
}

static struct damage_seen
walk_damage(uint32_t first, uint32_t last)
{
	struct damage_seen seen = {0};
	const struct xa_visitor visitor = {.damage = see_damage, .opaque = &seen};

	xa_walk(&xa, first, last, &visitor);
	return seen;
}

static void
any_flipped_bit_of_a_slot_is_noticed(void)
{
	static const xa_entry_t entries[] = {0,
					     (xa_entry_t)XA_KIND_VALUE << 32 | 5,
					     (xa_entry_t)XA_KIND_BAD << 32 | 7,
					     (xa_entry_t)1 << 36 | (xa_entry_t)XA_KIND_PAGE << 32 | 1,
					     (xa_entry_t)2 << 36 | (xa_entry_t)XA_KIND_RUN << 32 | 2,
					     (xa_entry_t)3 << 36 | (xa_entry_t)XA_KIND_BUFFER << 32 | 3};

	begin();
	for (size_t e = 0; e < ARRAY_SIZE(entries); e++) {
		pm_slot *slot = sim_slot(&sim, &xa, 0, AT + 1);

		CHECK(!xa_is_err(xa_store(&xa, AT + 1, entries[e])));
		for (unsigned int bit = 0; bit < 64; bit++) {
			xa_entry_t found;

			atomic_fetch_xor(slot, htole64(UINT64_C(1) << bit));
			found = xa_load(&xa, AT + 1);
			/*
			 * A page, run or buffer with another number or proof is an
			 * entry that its reader refuses, and so is a bad one that
			 * turned into one of these; all else is an error here.
			 */
			if (!xa_kind_has_content(xa_entry_kind(found)))
				CHECK_EQ(xa_err(found), -EIO);
			else if (xa_entry_kind(entries[e]) != XA_KIND_BAD)
				CHECK(found != entries[e] && (bit < 32 || bit >= 36));
			if (xa_is_err(found)) {
				struct damage_seen seen = walk_damage(0, UINT32_MAX);

				CHECK_EQ(seen.times, 1);
				CHECK_EQ(seen.nr, 1);
				CHECK_EQ(seen.first, AT + 1);
				CHECK_EQ(seen.level, 0);
			}
			CHECK_EQ(xa_load(&xa, AT), xa_mk_value(0));
			CHECK_EQ(xa_load(&xa, AT + 2), xa_mk_value(2));
			atomic_fetch_xor(slot, htole64(UINT64_C(1) << bit));
		}
		CHECK_EQ(xa_load(&xa, AT + 1), entries[e]);
	}
	end();
}

/* Whoever looks at each index of a disk of 16 TiB must get past what cannot be read. */
static void
a_cursor_skips_all_that_one_damaged_link_hides(void)
{
	begin();
	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		const uint32_t last = xa_span_last(level, AT);
		pm_slot *slot = sim_slot(&sim, &xa, level, AT);
		XA_STATE(xas, &xa);

		atomic_fetch_xor(slot, htole64(1));
		xa_read_lock();
		CHECK_EQ(xa_err(xas_load(&xas, AT + 1)), -EIO);
		CHECK_EQ(xas_skip(&xas, AT + 1), (uint64_t)last - AT);
		CHECK_EQ(xas_skip(&xas, last), 1);
		xa_read_unlock();
		atomic_fetch_xor(slot, htole64(1));
	}
	end();
}

static void
any_flipped_bit_of_a_link_is_noticed(void)
{
	begin();
	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		const uint32_t first = xa_span_first(level, AT), last = xa_span_last(level, AT);
		pm_slot *slot = sim_slot(&sim, &xa, level, AT);

		for (unsigned int bit = 0; bit < 64; bit++) {
			struct damage_seen seen;

			atomic_fetch_xor(slot, htole64(UINT64_C(1) << bit));
			CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
			CHECK_EQ(xa_err(xa_store(&xa, AT, xa_mk_value(1))), -EIO);
			CHECK_EQ(xa_err(xa_cmpxchg(&xa, AT + 1, 0, xa_mk_value(1))), -EIO);
			CHECK_EQ(xa_err(xa_erase(&xa, AT + 1)), -EIO);
			seen = walk_damage(0, UINT32_MAX);
			CHECK_EQ(seen.times, 1);
			CHECK_EQ(seen.first, first);
			CHECK_EQ(seen.nr, (uint64_t)last - first + 1);
			CHECK_EQ(seen.level, level);
			/* Walks over parts tell each its part. */
			CHECK_EQ(walk_damage(AT + 1, AT + 2).nr, 2);
			CHECK_EQ(walk_damage(0, AT).nr + walk_damage(AT + 1, UINT32_MAX).nr, seen.nr);
			atomic_fetch_xor(slot, htole64(UINT64_C(1) << bit));
		}
		CHECK_EQ(xa_load(&xa, AT), xa_mk_value(0));
	}
	end();
}

static struct xa_node_media *
node_at(unsigned int level, uint32_t idx)
{
	return (struct xa_node_media *)(void *)(sim_slot(&sim, &xa, level, idx) - xa_slot_number(level, idx));
}

static void
a_node_that_is_wiped_is_damage_and_not_holes(void)
{
	static const int patterns[] = {0x00, 0xff, 0x55, 0xaa, 0x33, 0x66, 0x99, 0xcc};

	for (size_t p = 0; p < ARRAY_SIZE(patterns); p++) {
		for (unsigned int level = 0; level < XA_MAX_HEIGHT - 1; level++) {
			uint32_t first = xa_span_first(level + 1, AT), last = xa_span_last(level + 1, AT);
			struct damage_seen seen;

			begin();
			memset(node_at(level, AT), patterns[p], sizeof(struct xa_node_media));
			seen = walk_damage(0, UINT32_MAX);
			/* 0x33 and 0xaa (and 0x55) fill a leaf with pages, runs, buffers: their readers refuse them. */
			if (level > 0 || !xa_kind_has_content((enum xa_kind)(patterns[p] & 0xf))) {
				CHECK_EQ(seen.nr, (uint64_t)last - first + 1);
				CHECK_EQ(seen.times, XA_CHUNK_SIZE);
				CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
			} else {
				CHECK_EQ(seen.nr, 0);
				CHECK(xa_load(&xa, AT) != xa_mk_value(0));
			}
			/* Each slot of a leaf heals by itself. */
			if (level == 0) {
				CHECK(!xa_is_err(xa_store(&xa, AT + 1, xa_mk_value(44))));
				CHECK_EQ(xa_load(&xa, AT + 1), xa_mk_value(44));
			}
			sim.nr_nodes = 0;
			for (uint32_t i = 0; i < NR_ELSEWHERE; i++)
				if (elsewhere[i] < first || elsewhere[i] > last)
					CHECK_EQ(xa_load(&xa, elsewhere[i]), xa_mk_value(i));
			xa_fini(&xa);
			sim_fini(&sim);
		}
	}
}

static void
nodes_that_are_exchanged_are_damage(void)
{
	const uint32_t other = AT + (1u << 29);

	for (unsigned int level = 0; level < XA_MAX_HEIGHT - 1; level++) {
		struct xa_node_media tmp, *a, *b;

		if (xa_span_first(level + 1, AT) == xa_span_first(level + 1, other))
			continue;
		begin();
		CHECK_EQ(xa_erase_range(&xa, AT, AT + XA_CHUNK_SIZE / 2 - 1), 0);
		a = node_at(level, AT);
		b = node_at(level, other);
		tmp = *a;
		*a = *b;
		*b = tmp;
		for (uint32_t i = 0; i < XA_CHUNK_SIZE; i++) {
			CHECK_EQ(xa_err(xa_load(&xa, AT + i)), -EIO);
			CHECK_EQ(xa_err(xa_load(&xa, other + i)), -EIO);
		}
		tmp = *a;
		*a = *b;
		*b = tmp;
		end();
	}
}

static void
a_slot_that_is_moved_is_damage(void)
{
	begin();
	CHECK_EQ(xa_erase(&xa, AT + 2), xa_mk_value(2));
	/* A value, a hole: to the next slot, and to the same slot of another leaf. */
	for (uint32_t from = AT + 1; from <= AT + 2; from++) {
		static const uint32_t to[] = {AT, AT + 3, AT + (1u << 29), 0};

		for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
			pm_slot *slot = sim_slot(&sim, &xa, 0, to[i]);
			uint64_t was = atomic_exchange(slot, atomic_load(sim_slot(&sim, &xa, 0, from)));

			CHECK_EQ(xa_err(xa_load(&xa, to[i])), -EIO);
			atomic_store(slot, was);
		}
	}
	/* A link, one level up and down, and beside. */
	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		uint64_t link = atomic_load(sim_slot(&sim, &xa, level, AT));
		uint32_t beside = AT ^ (uint32_t)xa_span(level);
		pm_slot *slots[2] = {sim_slot(&sim, &xa, level - 1, AT), NULL};

		if (level < XA_MAX_HEIGHT - 1)
			slots[1] = sim_slot(&sim, &xa, level + 1, AT);
		for (int i = 0; i < 2; i++) {
			uint64_t was;

			if (!slots[i])
				continue;
			was = atomic_exchange(slots[i], link);
			CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
			atomic_store(slots[i], was);
		}
		if (xa_span_first(level + 1, beside) == xa_span_first(level + 1, AT) || level == XA_MAX_HEIGHT - 1) {
			pm_slot *slot = sim_slot(&sim, &xa, level, AT);
			pm_slot *next = slot - xa_slot_number(level, AT) + xa_slot_number(level, beside);
			uint64_t was = atomic_exchange(next, link);

			CHECK_EQ(xa_err(xa_load(&xa, beside)), -EIO);
			atomic_store(next, was);
		}
	}
	end();
}

static void
a_link_to_itself_does_not_go_round(void)
{
	begin();
	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		pm_slot *slot = sim_slot(&sim, &xa, level, AT);
		uint64_t was = atomic_load(slot);

		/* To the root, as the root is linked; and with the proof of this very place. */
		atomic_store(slot, htole64(sim.root));
		CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
		atomic_store(slot, htole64(xa_node_slot(SIM_LINEAGE, level - 1, xa_span_first(level, AT),
							(uint32_t)atomic_load(&xa.root))));
		CHECK_EQ(xa_err(xa_load(&xa, AT + 1)), -EIO);
		CHECK(walk_damage(0, UINT32_MAX).nr > 0);
		/* To where no node can be. */
		atomic_store(slot, htole64(xa_node_slot(SIM_LINEAGE, level - 1, xa_span_first(level, AT), 0)));
		CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
		atomic_store(slot, htole64(xa_node_slot(SIM_LINEAGE, level - 1, xa_span_first(level, AT), UINT32_MAX)));
		CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
		atomic_store(slot, was);
	}
	end();
}

static void
storing_heals_a_damaged_slot(void)
{
	xa_entry_t old[3], new[3] = {xa_mk_value(100), xa_mk_value(101), 0};

	begin();
	for (uint32_t i = 0; i < 3; i++)
		atomic_store(sim_slot(&sim, &xa, 0, AT + i), 0);
	CHECK_EQ(xa_err(xa_cmpxchg(&xa, AT, 0, xa_mk_value(1))), -EIO);
	CHECK_EQ(xa_err(xa_cmpxchg(&xa, AT, xa_mk_value(0), xa_mk_value(1))), -EIO);
	/* What was there is lost, and must not be freed. */
	CHECK_EQ(xa_exchange(&xa, AT, 3, new, old), 3);
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQ(old[i], 0);
		CHECK_EQ(xa_load(&xa, AT + i), new[i]);
	}
	CHECK_EQ(walk_damage(0, UINT32_MAX).nr, 0);
	end();
}

struct visited {
	uint64_t nr_nodes, nr_entries, sum;
	uint32_t last;
};

static bool
visit_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct visited *v = opaque;

	CHECK_EQ(sim.page_state[pfn], SIM_PAGE_USED);
	CHECK_EQ(first, xa_span_first(level, first));
	v->nr_nodes++;
	return true;
}

static void
visit_entry(void *opaque, uint32_t idx, xa_entry_t entry)
{
	struct visited *v = opaque;

	CHECK(v->nr_entries == 0 || idx > v->last);
	CHECK_EQ(entry, xa_load(&xa, idx));
	v->last = idx;
	v->nr_entries++;
	v->sum += idx;
}

static bool
refuse_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	(void)opaque;
	(void)pfn;
	return first != AT || level > 0;
}

static void
walks_over_parts_visit_each_thing_once(void)
{
	static const uint32_t cuts[] = {1,	XA_CHUNK_SIZE - 1,     XA_CHUNK_SIZE, AT - 1, AT,
					AT + 1, AT + XA_CHUNK_SIZE - 1};
	struct visited all = {0};
	struct xa_visitor visitor = {.node = visit_node, .entry = visit_entry, .opaque = &all};

	begin();
	xa_walk(&xa, 0, UINT32_MAX, &visitor);
	CHECK_EQ(all.nr_entries, NR_ELSEWHERE + XA_CHUNK_SIZE);
	CHECK_EQ(all.nr_nodes, sim.nr_nodes);
	CHECK_EQ(all.nr_nodes, atomic_load(&xa.nr_nodes));
	for (size_t c = 0; c < ARRAY_SIZE(cuts); c++) {
		struct visited parts = {0};

		visitor.opaque = &parts;
		xa_walk(&xa, 0, cuts[c] - 1, &visitor);
		xa_walk(&xa, cuts[c], UINT32_MAX, &visitor);
		CHECK_EQ(parts.nr_entries, all.nr_entries);
		CHECK_EQ(parts.nr_nodes, all.nr_nodes);
		CHECK_EQ(parts.sum, all.sum);
	}
	/* What the visitor does not want to see is passed over. */
	all = (struct visited){0};
	visitor = (struct xa_visitor){.node = refuse_node, .entry = visit_entry, .opaque = &all};
	xa_walk(&xa, 0, UINT32_MAX, &visitor);
	CHECK_EQ(all.nr_entries, NR_ELSEWHERE);
	xa_walk(&xa, 5, 4, &visitor);
	CHECK_EQ(all.nr_entries, NR_ELSEWHERE);
	end();
}

static unsigned int count_below_level;

static bool
count_below(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	(void)pfn;
	(void)first;
	*(uint32_t *)opaque += level < count_below_level;
	return true;
}

/* As a repair leaves it: one slot says that all below is lost. */
static void
lose(unsigned int level)
{
	const uint32_t first = xa_span_first(level, AT);
	uint32_t nr_lost = 0;
	const struct xa_visitor visitor = {.node = count_below, .opaque = &nr_lost};

	count_below_level = level;
	xa_walk(&xa, first, xa_span_last(level, AT), &visitor);
	sim.nr_nodes -= nr_lost;
	atomic_fetch_sub(&xa.nr_nodes, nr_lost);
	atomic_store(sim_slot(&sim, &xa, level, AT), htole64(xa_lost_slot(&xa, level, first)));
	CHECK(xa_is_lost_slot(&xa, level, first, xa_lost_slot(&xa, level, first)));
	CHECK(!xa_is_lost_slot(&xa, level, first, xa_hole_slot(SIM_LINEAGE, level, first)));
	CHECK(!xa_is_lost_slot(&xa, 0, first, xa_lost_slot(&xa, 0, first)));
}

static void
what_is_lost_stays_lost_until_it_is_stored(void)
{
	const xa_entry_t lost = xa_mk_entry(XA_KIND_BAD, UINT32_MAX, 0), five = xa_mk_value(5);

	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		uint32_t first = xa_span_first(level, AT), last = xa_span_last(level, AT), idx = AT;
		struct damage_seen seen;
		xa_entry_t old;

		for (int how = 0; how < 4; how++) {
			begin();
			lose(level);
			seen = walk_damage(0, UINT32_MAX);
			CHECK_EQ(seen.nr, (uint64_t)last - first + 1);
			CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
			CHECK_EQ(xa_err(xa_find(&xa, &idx, AT)), -EIO);
			sim.alloc_fails_in = 1;
			CHECK_EQ(xa_err(xa_store(&xa, AT + 1, xa_mk_value(5))), -ENOSPC);
			sim.alloc_fails_in = -1;
			/* One index heals, and nothing else becomes a hole by it. */
			switch (how) {
			case 0:
				CHECK_EQ(xa_store(&xa, AT + 1, xa_mk_value(5)), lost);
				CHECK_EQ(xa_load(&xa, AT + 1), xa_mk_value(5));
				break;
			case 1:
				CHECK_EQ(xa_cmpxchg(&xa, AT + 1, 0, xa_mk_value(5)), lost);
				CHECK_EQ(xa_cmpxchg(&xa, AT + 1, lost, xa_mk_value(5)), lost);
				CHECK_EQ(xa_load(&xa, AT + 1), xa_mk_value(5));
				break;
			case 2:
				CHECK_EQ(xa_erase(&xa, AT + 1), lost);
				CHECK_EQ(xa_load(&xa, AT + 1), 0);
				break;
			case 3:
				CHECK_EQ(xa_exchange(&xa, AT + 1, 1, &five, &old), 1);
				CHECK_EQ(old, lost);
				CHECK_EQ(xa_load(&xa, AT + 1), five);
				break;
			}
			CHECK_EQ(xa_load(&xa, AT), lost);
			CHECK_EQ(xa_load(&xa, AT + 2), lost);
			if (last > AT + XA_CHUNK_SIZE)
				CHECK_EQ(xa_err(xa_load(&xa, last)), -EIO);
			seen = walk_damage(0, UINT32_MAX);
			CHECK_EQ(seen.nr, (uint64_t)last - first + 1 - XA_CHUNK_SIZE);
			CHECK_EQ(xa_erase_range(&xa, first, last), 0);
			CHECK_EQ(walk_damage(0, UINT32_MAX).nr, 0);
			CHECK_EQ(xa_load(&xa, AT), 0);
			xa_free_all(&xa);
			CHECK_EQ(sim.nr_nodes, 0);
			xa_fini(&xa);
			sim_fini(&sim);
		}
	}
}

static void
a_range_of_what_is_lost_is_erased(void)
{
	const xa_entry_t lost = xa_mk_entry(XA_KIND_BAD, UINT32_MAX, 0);

	for (unsigned int level = 1; level < XA_MAX_HEIGHT; level++) {
		const uint32_t first = xa_span_first(level, AT), last = xa_span_last(level, AT);
		/* Ranges with one end, the other, or both in the middle of it. */
		const uint32_t ranges[][2] = {{first - 1, AT + 1}, {AT + 1, last}, {AT + 1, last - 1}, {first, last}};

		for (size_t r = 0; r < ARRAY_SIZE(ranges); r++) {
			begin();
			lose(level);
			CHECK_EQ(xa_erase_range(&xa, ranges[r][0], ranges[r][1]), 0);
			CHECK_EQ(walk_damage(ranges[r][0], ranges[r][1]).nr, 0);
			CHECK_EQ(xa_load(&xa, ranges[r][0]), 0);
			CHECK_EQ(xa_load(&xa, ranges[r][1]), 0);
			CHECK_EQ(xa_load(&xa, AT + 1), 0);
			if (ranges[r][0] == AT + 1)
				CHECK_EQ(xa_load(&xa, AT), lost);
			if (ranges[r][1] == AT + 1)
				CHECK_EQ(xa_load(&xa, AT + 2), lost);
			if (ranges[r][1] == last - 1)
				CHECK_EQ(xa_load(&xa, last), lost);
			CHECK_EQ(atomic_load(&xa.nr_nodes), sim.nr_nodes);
			xa_fini(&xa);
			sim_fini(&sim);
		}
	}
}

static void
a_dump_survives_damage(void)
{
	begin();
	atomic_store(sim_slot(&sim, &xa, 0, AT), 0);
	atomic_store(sim_slot(&sim, &xa, 1, UINT32_MAX), 1);
	CHECK(freopen("/dev/null", "w", stderr));
	xa_dump(&xa);
	CHECK_EQ(xa_err(xa_load(&xa, AT)), -EIO);
	/* A slot of each kind that there is, and of those that there are not. */
	for (uint64_t kind = 0; kind < 16; kind++) {
		atomic_store(sim_slot(&sim, &xa, 0, AT + 1), htole64(kind << XA_SLOT_KIND_SHIFT | 7));
		xa_dump(&xa);
	}
	xa_fini(&xa);
	sim_fini(&sim);
}

UNIT_MAIN(CASE(any_flipped_bit_of_a_slot_is_noticed), CASE(any_flipped_bit_of_a_link_is_noticed),
	  CASE(a_cursor_skips_all_that_one_damaged_link_hides), CASE(a_node_that_is_wiped_is_damage_and_not_holes),
	  CASE(nodes_that_are_exchanged_are_damage), CASE(a_slot_that_is_moved_is_damage),
	  CASE(a_link_to_itself_does_not_go_round), CASE(storing_heals_a_damaged_slot),
	  CASE(what_is_lost_stays_lost_until_it_is_stored), CASE(a_range_of_what_is_lost_is_erased),
	  CASE(walks_over_parts_visit_each_thing_once), CASE(a_dump_survives_damage))
