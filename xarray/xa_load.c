/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading one index at a time, and with a cursor that remembers the leaf.
 */
#include "xarray/xa_node.h"

/* Find out where the leaf for @idx is, if there is one. */
static void
go_to_leaf(struct xa_state *xas, uint32_t idx)
{
	struct xa_descent descent;
	enum xa_end end = xa_descend(xas->xa, idx, &descent);

	xas->leaf = end == XA_END_LEAF ? descent.slots : NULL;
	xas->error = end == XA_END_DAMAGE ? -EIO : 0;
	xas->first = idx & ~XA_CHUNK_MASK;
	xas->known = true;
}

FLATTEN xa_entry_t
xas_load(struct xa_state *xas, uint32_t idx)
{
	if (UNLIKELY(!xas->known || xas->first != (idx & ~XA_CHUNK_MASK)))
		go_to_leaf(xas, idx);
	if (LIKELY(xas->leaf != NULL))
		return xa_decode_at(xas->xa->place_key, idx, xa_slot_read(&xas->leaf[idx & XA_CHUNK_MASK]));
	return xas->error ? xa_mk_err(xas->error) : 0;
}

uint64_t
xas_skip(struct xa_state *xas, uint32_t idx)
{
	struct xa_descent descent;

	/* The cursor does not know how high it ended; a leaf may have come meanwhile, too. */
	switch (xa_descend(xas->xa, idx, &descent)) {
	case XA_END_LEAF:
		break;
	case XA_END_NOTHING:
		return xa_skip_holes(xas->xa, &descent, idx, XA_MAX_INDEX) - idx;
	case XA_END_DAMAGE:
		return (uint64_t)xa_descent_last(&descent, idx) + 1 - idx;
	}
	return 1;
}

void
xa_look_ahead(struct xarray *xa, uint32_t idx, struct xa_ahead *ret_ahead)
{
	struct xa_descent descent;

	ret_ahead->leaf = NULL;
	xa_read_lock();
	/* Counted first: a removal that is under way and counted already is seen to be under way. */
	ret_ahead->nr_unlinks = atomic_load_explicit(&xa->nr_unlinks, memory_order_acquire);
	if (LIKELY(!atomic_load_explicit(&xa->unlinking, memory_order_acquire)) &&
	    xa_descend(xa, idx, &descent) == XA_END_LEAF) {
		__builtin_prefetch(&descent.slots[idx & XA_CHUNK_MASK], 1);
		ret_ahead->leaf = descent.slots;
		ret_ahead->first = idx & ~(uint32_t)XA_CHUNK_MASK;
	}
	xa_read_unlock();
}

xa_entry_t
xa_load(struct xarray *xa, uint32_t idx)
{
	XA_STATE(xas, xa);
	xa_entry_t entry;

	xa_read_lock();
	entry = xas_load(&xas, idx);
	xa_read_unlock();
	return entry;
}
