/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a slot says, and how it proves it.
 */
#include "xarray/xa_node.h"

#ifdef XA_TSAN
char xa_rcu_tsan_tag;
#endif

uint64_t
xa_hole_slot(uint64_t lineage, unsigned int level, uint32_t idx)
{
	return xa_hole_at(xa_place_key(lineage), level, idx);
}

uint64_t
xa_node_slot(uint64_t lineage, unsigned int level, uint32_t first, uint32_t pfn)
{
	return xa_node_at(xa_place_key(lineage), level, first, pfn);
}

uint32_t
xa_content_seed(uint64_t lineage, uint32_t idx, enum xa_kind kind)
{
	return (uint32_t)(xa_place_hash(xa_place_key(lineage), 0, idx, kind) >> 32);
}

uint32_t
xa_seed(const struct xarray *xa, uint32_t idx, enum xa_kind kind)
{
	return (uint32_t)(xa_place_hash(xa->place_key, 0, idx, kind) >> 32);
}

uint64_t
xa_encode(const struct xarray *xa, uint32_t idx, xa_entry_t entry)
{
	return xa_encode_at(xa->place_key, idx, entry);
}

xa_entry_t
xa_decode(const struct xarray *xa, uint32_t idx, uint64_t slot)
{
	return xa_decode_at(xa->place_key, idx, slot);
}

uint64_t
xa_lost_slot(const struct xarray *xa, unsigned int level, uint32_t first)
{
	return xa_lost_at(xa->place_key, level, first);
}

bool
xa_is_lost_slot(const struct xarray *xa, unsigned int level, uint32_t idx, uint64_t slot)
{
	/* A walk may have told of a part of it only. */
	return level > 0 && level < XA_MAX_HEIGHT &&
	       slot == xa_lost_at(xa->place_key, level, xa_span_first(level, idx));
}

xa_entry_t
xa_mk_value(uint32_t value)
{
	return xa_mk_entry(XA_KIND_VALUE, value, 0);
}

bool
xa_is_value(xa_entry_t entry)
{
	return xa_entry_kind(entry) == XA_KIND_VALUE;
}

uint32_t
xa_to_value(xa_entry_t entry)
{
	return xa_entry_payload(entry);
}

bool
xa_is_err(xa_entry_t entry)
{
	return xa_entry_kind(entry) == XA_KIND_ERROR;
}

int
xa_err(xa_entry_t entry)
{
	return xa_is_err(entry) ? -(int)xa_entry_payload(entry) : 0;
}
