/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Visiting all there is, in order: what the open, the scrub and the check do.
 *
 * The open of a full pool is one pass over all leaves, so the loop over a
 * leaf has to keep up with memory: of most slots it looks at nothing but the
 * kind.
 */
#include "xarray/xa_node.h"

struct walk {
	struct xarray *xa;
	const struct xa_visitor *visitor;
	uint32_t first, last;
};

static void
tell_damage(const struct walk *w, uint32_t idx, uint32_t last, unsigned int level, uint64_t slot)
{
	/* Of a damaged node that reaches out of the range, each walk tells its part. */
	uint32_t from = MAX(idx, w->first), to = MIN(last, w->last);

	if (w->visitor->damage)
		w->visitor->damage(w->visitor->opaque, from, (uint64_t)to - from + 1, level, slot);
}

/* The entry of a slot; 0 where there is none, or damage, which is told. */
static inline xa_entry_t
look_at(const struct walk *w, uint32_t idx, uint64_t slot)
{
	uint64_t key = w->xa->place_key;
	xa_entry_t entry;

	if (LIKELY(xa_kind_has_content(xa_entry_kind(slot))))
		return slot;
	if (slot == xa_hole_at(key, 0, idx))
		return 0;
	entry = xa_decode_at(key, idx, slot);
	if (!xa_is_err(entry))
		return entry;
	tell_damage(w, idx, idx, 0, slot);
	return 0;
}

static void
walk_leaf(const struct walk *w, pm_slot *slots, uint32_t first)
{
	const struct xa_visitor *visitor = w->visitor;
	uint32_t from = MAX(first, w->first), nr = MIN(xa_span_last(1, first), w->last) - from + 1;
	xa_entry_t entries[XA_CHUNK_SIZE], any = 0;

	slots += from & XA_CHUNK_MASK;
	for (uint32_t i = 0; i < nr; i++) {
		entries[i] = look_at(w, from + i, xa_slot_read(&slots[i]));
		any |= entries[i];
	}
	if (any == 0)
		return;
	if (visitor->entries) {
		visitor->entries(visitor->opaque, from, entries, nr);
	} else if (visitor->entry) {
		for (uint32_t i = 0; i < nr; i++) {
			if (entries[i] != 0)
				visitor->entry(visitor->opaque, from + i, entries[i]);
		}
	}
}

/* As deep as the tree is high, at most XA_MAX_HEIGHT. */
static void
walk_node(const struct walk *w, uint32_t pfn, pm_slot *slots, unsigned int level, uint32_t first)
{
	const struct xa_visitor *visitor = w->visitor;

	if (first >= w->first && visitor->node && !visitor->node(visitor->opaque, pfn, level, first))
		return;
	if (level == 0) {
		walk_leaf(w, slots, first);
		return;
	}
	/* A range may be a small part of a high tree: begin where it begins. */
	for (unsigned int i = w->first > first ? xa_slot_number(level, w->first) : 0; i < xa_slots_used(level); i++) {
		uint32_t lo = first + (uint32_t)(i * xa_span(level)), hi = xa_span_last(level, lo);
		uint64_t slot;
		pm_slot *below;

		if (lo > w->last)
			break;
		slot = xa_slot_read(&slots[i]);
		below = xa_follow(w->xa, slot, level - 1, lo);
		if (below)
			walk_node(w, xa_entry_payload(slot), below, level - 1, lo);
		else if (slot != xa_hole_at(w->xa->place_key, level, lo))
			tell_damage(w, lo, hi, level, slot);
	}
}

void
xa_walk(struct xarray *xa, uint32_t first, uint32_t last, const struct xa_visitor *visitor)
{
	const struct walk w = {xa, visitor, first, last};
	uint64_t root = atomic_load_explicit(&xa->root, memory_order_acquire);
	unsigned int height = (unsigned int)(root >> 32);

	if (first > last)
		return;
	if (atomic_load(&xa->damaged_root))
		tell_damage(&w, first, last, XA_MAX_HEIGHT, 0);
	else if (height > 0 && xa_covers(height, first))
		walk_node(&w, (uint32_t)root, xa_map(xa, (uint32_t)root), height - 1, 0);
}
