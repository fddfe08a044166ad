/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding the next entry.
 */
#include "xarray/xa_node.h"

/* Leaves that are looked through in one read lock: empty ones must not hold up grace periods. */
#define LEAVES_A_LOCK 64

uint64_t
xa_skip_holes(const struct xarray *xa, const struct xa_descent *descent, uint32_t idx, uint32_t max)
{
	unsigned int level = descent->level;
	uint64_t at = (uint64_t)xa_descent_last(descent, idx) + 1;

	/* The slots beside it are at hand: most of a thin tree is holes side by side. */
	while (descent->slots && at <= max) {
		unsigned int i = xa_slot_number(level, (uint32_t)at);

		if (i == 0 || xa_slot_read(&descent->slots[i]) != xa_hole_at(xa->place_key, level, (uint32_t)at))
			break;
		at += xa_span(level);
	}
	return MIN(at, (uint64_t)max + 1);
}

/*
 * Look for an entry in [*at, max], for a while.
 * Context: read lock held.
 * Return: the entry or an error entry, *at is its index; 0 when there is none
 *   before *at.
 */
static xa_entry_t
find_some(struct xarray *xa, uint64_t *at, uint32_t max)
{
	for (unsigned int leaves = 0; leaves < LEAVES_A_LOCK && *at <= max; leaves++) {
		uint32_t idx = (uint32_t)*at, last = MIN(max, xa_span_last(1, idx));
		struct xa_descent descent;

		switch (xa_descend(xa, idx, &descent)) {
		case XA_END_DAMAGE:
			return xa_mk_err(-EIO);
		case XA_END_NOTHING:
			*at = xa_skip_holes(xa, &descent, idx, max);
			continue;
		case XA_END_LEAF:
			break;
		}
		for (; *at <= last; ++*at) {
			xa_entry_t entry = xa_decode_at(xa->place_key, (uint32_t)*at,
							xa_slot_read(&descent.slots[*at & XA_CHUNK_MASK]));

			if (entry != 0)
				return entry;
		}
	}
	return 0;
}

static xa_entry_t
find_from(struct xarray *xa, uint64_t at, uint32_t *idx, uint32_t max)
{
	xa_entry_t entry = 0;

	while (entry == 0 && at <= max) {
		xa_read_lock();
		entry = find_some(xa, &at, max);
		xa_read_unlock();
	}
	if (entry != 0)
		*idx = (uint32_t)at;
	return entry;
}

xa_entry_t
xa_find(struct xarray *xa, uint32_t *idx, uint32_t max)
{
	return find_from(xa, *idx, idx, max);
}

xa_entry_t
xa_find_after(struct xarray *xa, uint32_t *idx, uint32_t max)
{
	uint64_t at = (uint64_t)*idx + 1;
	struct xa_descent descent;

	/* Behind an index that cannot be read begins what can: all behind the same damaged link has been told. */
	xa_read_lock();
	if (xa_descend(xa, *idx, &descent) == XA_END_DAMAGE)
		at = (uint64_t)xa_descent_last(&descent, *idx) + 1;
	xa_read_unlock();
	return find_from(xa, at, idx, max);
}

bool
xa_empty(struct xarray *xa)
{
	uint32_t idx = 0;

	return xa_find(xa, &idx, XA_MAX_INDEX) == 0;
}
