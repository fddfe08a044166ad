/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking at one slot, damaged or not: what it holds, and what would prove itself there.
 */
#include "xarray/xa_node.h"

/* Only pages, runs and buffers prove their content, which is not known here. */
static uint64_t
expected_at(uint64_t key, unsigned int level, uint32_t first, uint64_t slot)
{
	enum xa_kind kind = xa_entry_kind(slot);
	uint32_t payload = xa_entry_payload(slot);

	switch (kind) {
	case XA_KIND_HOLE:
		return xa_hole_at(key, level, first);
	case XA_KIND_NODE:
		return level > 0 ? xa_node_at(key, level - 1, first, payload) : 0;
	case XA_KIND_BAD:
		return level > 0 ? xa_lost_at(key, level, first)
				 : xa_mk_entry(kind, payload, xa_proof_at(key, 0, first, kind, payload));
	case XA_KIND_VALUE:
		return level > 0 ? 0 : xa_mk_entry(kind, payload, xa_proof_at(key, 0, first, kind, payload));
	case XA_KIND_PAGE:
	case XA_KIND_RUN:
	case XA_KIND_BUFFER:
		break;
	}
	return 0;
}

int
xa_inspect(const struct xarray *xa, uint32_t idx, struct xa_sight *ret_sight)
{
	struct xa_descent descent;
	enum xa_end end = xa_descend(xa, idx, &descent);
	unsigned int level = descent.level;
	struct xa_sight sight = {.node = descent.slots};

	if (descent.slots == NULL) {
		if (end == XA_END_DAMAGE)
			return -EIO;
		/* The tree is too low for the index: nothing was ever stored from its end on. */
		sight.level = level;
		sight.first = level == 0 ? 0 : (uint32_t)xa_span(level);
		sight.nr = (uint64_t)XA_MAX_INDEX + 1 - sight.first;
		*ret_sight = sight;
		return 0;
	}
	sight.level = level;
	sight.number = xa_slot_number(level, idx);
	sight.first = xa_span_first(level, idx);
	sight.nr = xa_span(level);
	sight.slot = end == XA_END_LEAF ? xa_slot_read(&descent.slots[sight.number]) : descent.slot;
	sight.expected = expected_at(xa->place_key, level, sight.first, sight.slot);
	*ret_sight = sight;
	return 0;
}
