/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairing an array.
 *
 * A slot that does not prove itself is compared with what it can have been:
 *	1. the same but for one bit, of 64: the one that proves itself (a wrong
 *	   one does so once in four million)
 *	2. a link: if the page that it names holds slots that prove the place
 *	   that the node should have, it is that node, whatever the proof says
 * What is left is lost, and says so from then on.  Behind the end of a disk
 * nothing is lost: there is nothing.
 */
#include "prmem/check/repair_array.h"

#include "common/crc32c.h"
#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/check/repair_record.h"
#include "prmem/check/repair_store.h"
#include "prmem/check/repair_types.h"
#include "prmem/core/pool.h"
#include "prmem/object/object.h"
#include "xarray/xa_internal.h"

/* Slots of a page that must prove a place before the page is taken for the node. */
#define NODE_PROOFS 2u
/* Pages whose content is read for that, at most. */
#define NODE_CONTENTS 16u

/* Does an entry with content prove itself? */
static bool
content_proves(struct repair *r, uint32_t idx, uint64_t slot)
{
	static const uint32_t kinds = 1u << XA_KIND_PAGE | 1u << XA_KIND_RUN | 1u << XA_KIND_BUFFER;
	char page[PRMEM_PAGE_SIZE];
	struct object obj;
	uint32_t crc, pfn;

	if ((kinds >> xa_entry_kind(slot) & 1) == 0 ||
	    object_of_slot(r->pool, xa_entry_kind(slot), xa_entry_payload(slot), &obj) < 0 ||
	    !pool_pfn_of(r->pool, obj.start, &pfn))
		return false;
	crc = xa_content_seed(r->xa->lineage, idx, obj.kind);
	for (size_t done = 0; done < obj.len_bytes;) {
		size_t in_page = (uintptr_t)((const char *)obj.start + done) & (PRMEM_PAGE_SIZE - 1);
		size_t n = MIN(obj.len_bytes - done, PRMEM_PAGE_SIZE - in_page);

		if (!check_copy_page(r->pool, pfn++, page))
			return false;
		crc = crc32c(crc, page + in_page, n);
		done += n;
	}
	return xa_proof_of_crc(crc) == xa_entry_proof(slot);
}

/* Does a leaf slot prove itself by its place: nothing, a value, lost? */
static bool
place_proves(struct repair *r, uint32_t idx, uint64_t slot)
{
	xa_entry_t entry = xa_decode(r->xa, idx, slot);

	return entry == 0 || (!xa_is_err(entry) && (xa_is_value(entry) || xa_entry_kind(entry) == XA_KIND_BAD));
}

/* The slots of the node that a slot of @level links, or NULL. */
static pm_slot *
follow(struct repair *r, unsigned int level, uint32_t first, uint64_t slot)
{
	uint32_t pfn = xa_entry_payload(slot);

	if (slot != xa_node_slot(r->xa->lineage, level - 1, first, pfn))
		return NULL;
	return r->xa->ops->map(r->xa->memory, pfn);
}

static bool
upper_proves(struct repair *r, unsigned int level, uint32_t first, uint64_t slot)
{
	return slot == xa_hole_slot(r->xa->lineage, level, first) || slot == xa_lost_slot(r->xa, level, first) ||
	       follow(r, level, first, slot) != NULL;
}

/* All but one bit of it.  Return: the only one that proves itself, or the slot as it is. */
static uint64_t
with_one_bit(struct repair *r, unsigned int level, uint32_t idx, uint64_t slot)
{
	uint64_t found = slot;
	unsigned int nr = 0;

	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t other = slot ^ UINT64_C(1) << bit;
		bool proves;

		if (level > 0)
			proves = upper_proves(r, level, idx, other);
		else
			proves = place_proves(r, idx, other) || content_proves(r, idx, other);
		if (proves) {
			found = other;
			nr++;
		}
	}
	return nr == 1 ? found : slot;
}

/* What a slot stands for. */
static uint64_t
span_of(unsigned int level)
{
	return UINT64_C(1) << (level * XA_CHUNK_SHIFT);
}

static unsigned int
slots_used(unsigned int level)
{
	unsigned int bits_left = XA_INDEX_BITS - level * XA_CHUNK_SHIFT;

	return bits_left < XA_CHUNK_SHIFT ? 1u << bits_left : XA_CHUNK_SIZE;
}

/* Do slots of a page prove that it is the node of @level from @first on? */
static bool
is_node_of(struct repair *r, uint32_t pfn, unsigned int level, uint32_t first)
{
	uint64_t slots[PRMEM_PAGE_SIZE / sizeof(uint64_t)];
	unsigned int nr = 0, nr_contents = 0;

	if (r->xa->ops->map(r->xa->memory, pfn) == NULL || !check_copy_page(r->pool, pfn, slots))
		return false;
	for (unsigned int i = 0; i < slots_used(level) && nr < NODE_PROOFS; i++) {
		uint32_t idx = first + (uint32_t)(i * span_of(level));
		uint64_t slot = le64toh(slots[i]);

		if (level > 0)
			nr += upper_proves(r, level, idx, slot);
		else if (place_proves(r, idx, slot))
			nr++;
		else if (nr_contents++ < NODE_CONTENTS)
			nr += content_proves(r, idx, slot);
	}
	return nr >= NODE_PROOFS;
}

/* Give up what a slot stood for. */
static void
give_up(struct repair *r, uint32_t pfn, pm_slot *slot, unsigned int level, uint32_t idx)
{
	enum prmem_finding_kind kind = level > 0 ? PRMEM_FOUND_NODE : PRMEM_FOUND_ENTRY;
	uint64_t nr = span_of(level);

	if (r->inst == NULL) {
		/* The directory: nobody could say of nothing that it is lost. */
		if (repair_store(r, pfn, slot, xa_hole_slot(r->xa->lineage, level, idx)))
			repair_found(r, PRMEM_FOUND_DIRECTORY, idx, nr, false,
				     "a part of the directory is lost, and what instances it held");
		return;
	}
	if (idx >= r->nr_pages_of_disk) {
		if (repair_store(r, pfn, slot, xa_hole_slot(r->xa->lineage, level, idx)))
			repair_found(r, kind, idx, nr, true, "an entry behind its end was damaged");
		return;
	}
	if (repair_store(r, pfn, slot,
			 level > 0 ? xa_lost_slot(r->xa, level, idx)
				   : xa_encode(r->xa, idx, xa_mk_entry(XA_KIND_BAD, UINT32_MAX, 0))))
		repair_found(r, kind, idx, MIN(nr, r->nr_pages_of_disk - idx), false,
			     "lost: it cannot be read until it is written anew");
}

static void
repair_leaf_slot(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t idx)
{
	uint64_t is = le64toh(atomic_load(slot)), fixed;
	xa_entry_t entry = xa_decode(r->xa, idx, is);
	struct object obj;

	if (!xa_is_err(entry)) {
		if (place_proves(r, idx, is))
			return;
		/* An entry with content: it names something that can be, and, if told to look, that matches. */
		if (object_of_slot(r->pool, xa_entry_kind(is), xa_entry_payload(is), &obj) == 0 &&
		    (!r->scrub || content_proves(r, idx, is)))
			return;
	}
	fixed = with_one_bit(r, 0, idx, is);
	if (fixed == is)
		give_up(r, pfn, slot, 0, idx);
	else if (repair_store(r, pfn, slot, fixed))
		repair_found(r, PRMEM_FOUND_ENTRY, idx, 1, true, "a single bit of its entry was put right");
}

/* Return: the slots below, if there is a node. */
static pm_slot *
repair_upper_slot(struct repair *r, uint32_t pfn, pm_slot *slot, unsigned int level, uint32_t idx)
{
	uint64_t is = le64toh(atomic_load(slot)), fixed;

	if (upper_proves(r, level, idx, is))
		return follow(r, level, idx, is);
	fixed = with_one_bit(r, level, idx, is);
	if (fixed == is && is_node_of(r, xa_entry_payload(is), level - 1, idx))
		fixed = xa_node_slot(r->xa->lineage, level - 1, idx, xa_entry_payload(is));
	if (fixed == is) {
		give_up(r, pfn, slot, level, idx);
		return NULL;
	}
	if (!repair_store(r, pfn, slot, fixed))
		return NULL;
	repair_found(r, r->inst == NULL ? PRMEM_FOUND_DIRECTORY : PRMEM_FOUND_NODE, idx, span_of(level), true,
		     "a link to a node was put right");
	return follow(r, level, idx, fixed);
}

/* As deep as the tree is high: the proof of a link has the level in it. */
static void
repair_node(struct repair *r, uint32_t pfn, pm_slot *slots, unsigned int level, uint32_t first)
{
	r->c->result->nr_nodes++;
	for (unsigned int i = 0; i < slots_used(level) && r->error == 0; i++) {
		uint32_t idx = first + (uint32_t)(i * span_of(level));
		pm_slot *below;

		if (level > 0) {
			below = repair_upper_slot(r, pfn, &slots[i], level, idx);
			if (below != NULL)
				repair_node(r, xa_entry_payload(le64toh(atomic_load(&slots[i]))), below, level - 1,
					    idx);
		} else if (r->inst == NULL) {
			repair_record_slot(r, pfn, &slots[i], idx);
		} else {
			repair_leaf_slot(r, pfn, &slots[i], idx);
		}
	}
	if (level == 0 && r->error == 0)
		r->error = check_tick(r->c, XA_CHUNK_SIZE);
}

void
repair_array(struct repair *r)
{
	uint64_t root = atomic_load(&r->xa->root);
	unsigned int height = (unsigned int)(root >> 32);

	if (atomic_load(&r->xa->damaged_root)) {
		repair_found(r, r->inst == NULL ? PRMEM_FOUND_DIRECTORY : PRMEM_FOUND_RECORD, 0, 0, false,
			     "its root cannot be read, and nothing can be done");
		return;
	}
	if (height > 0)
		repair_node(r, (uint32_t)root, r->xa->ops->map(r->xa->memory, (uint32_t)root), height - 1, 0);
}
