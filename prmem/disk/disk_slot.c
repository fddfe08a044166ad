/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a disk's index says of one page, and whether it proves it: for people who look for damage.
 */
#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "prmem/alloc/bad_page.h"
#include "prmem/core/guard.h"
#include "prmem/disk/disk.h"
#include "prmem/object/object.h"

static enum prmem_slot_kind
kind_of(uint64_t slot)
{
	switch (xa_entry_kind(slot)) {
	case XA_KIND_PAGE:
		return PRMEM_SLOT_PAGE;
	case XA_KIND_RUN:
		return PRMEM_SLOT_RUN;
	case XA_KIND_BUFFER:
		return PRMEM_SLOT_BUFFER;
	case XA_KIND_NODE:
		return PRMEM_SLOT_NODE;
	case XA_KIND_VALUE:
		return PRMEM_SLOT_VALUE;
	case XA_KIND_HOLE:
		return PRMEM_SLOT_HOLE;
	case XA_KIND_BAD:
		return xa_entry_payload(slot) == UINT32_MAX ? PRMEM_SLOT_LOST : PRMEM_SLOT_BAD;
	}
	return PRMEM_SLOT_UNKNOWN;
}

/*
 * The proof of content that a slot of a leaf should carry.
 * Context: in a window.
 * Return: 0; -EIO when it points to nothing that can be read.
 */
static int
content_proof(struct prmem_instance *inst, uint32_t idx, uint64_t slot, uint32_t *ret_proof)
{
	enum xa_kind kind = xa_entry_kind(slot);
	struct object object;
	uint32_t pfn;
	int r = object_of_slot(inst->pool, kind, xa_entry_payload(slot), &object);
	if (r < 0)
		return r;
	if (pool_pfn_of(inst->pool, object.start, &pfn))
		guard_at(pfn);
	*ret_proof = xa_proof_of_crc(crc32c(xa_seed(&inst->xa, idx, kind), object.start, object.len_bytes));
	return 0;
}

/* Where its proof is one of content: compute that.  Context: in a window. */
static void
prove_content(struct prmem_instance *inst, uint32_t idx, struct prmem_slot *slot)
{
	uint32_t proof;

	if (slot->level > 0 ||
	    (slot->kind != PRMEM_SLOT_PAGE && slot->kind != PRMEM_SLOT_RUN && slot->kind != PRMEM_SLOT_BUFFER))
		return;
	slot->unreadable = true;
	if (content_proof(inst, idx, slot->slot, &proof) < 0)
		return;
	slot->unreadable = false;
	slot->expected = xa_mk_entry(xa_entry_kind(slot->slot), xa_entry_payload(slot->slot), proof);
}

static int
inspect(struct prmem_instance *inst, uint32_t idx, struct prmem_slot *slot)
{
	struct xa_sight sight;
	int r;

	if (atomic_load_explicit(&inst->removed, memory_order_relaxed))
		return -ESHUTDOWN;
	r = xa_inspect(&inst->xa, idx, &sight);
	if (r < 0)
		return r;
	slot->lineage = inst->xa.lineage;
	slot->level = sight.level;
	slot->off = (uint64_t)sight.first << PRMEM_PAGE_SHIFT;
	slot->len_bytes = sight.nr << PRMEM_PAGE_SHIFT;
	slot->kind = PRMEM_SLOT_HOLE;
	if (sight.node == NULL)
		return 0;
	slot->in_node = pool_pfn_of(inst->pool, sight.node, &slot->node_page);
	slot->number = sight.number;
	slot->slot = sight.slot;
	slot->expected = sight.expected;
	slot->kind = kind_of(sight.slot);
	slot->payload = xa_entry_payload(sight.slot);
	prove_content(inst, idx, slot);
	return 0;
}

static int
inspect_guarded(struct prmem_instance *inst, uint32_t idx, struct prmem_slot *slot)
{
	struct guard_window window;
	int r;

	xa_read_lock();
	if (GUARD_ENTER(&window, inst->pool) != 0) {
		xa_read_unlock();
		bad_page_note(inst->pool, window.pfn);
		/* The slot was found before its page faulted; or a node on the way to it is what faulted. */
		return slot->unreadable ? 0 : -EIO;
	}
	r = inspect(inst, idx, slot);
	guard_leave();
	xa_read_unlock();
	return r;
}

int
prmem_disk_slot(struct prmem_disk *disk, uint64_t off, struct prmem_slot *ret_slot, size_t slot_bytes)
{
	struct prmem_slot slot = {0};
	int r = disk_check_range(disk, 1, off);

	if (r == 0)
		r = inspect_guarded(disk->inst, (uint32_t)(off >> PRMEM_PAGE_SHIFT), &slot);
	bad_pages_save(disk->inst->pool);
	if (r < 0)
		return r;
	slot.proof = xa_entry_proof(slot.slot);
	slot.expected_proof = xa_entry_proof(slot.expected);
	slot.verifies = !slot.in_node || (slot.expected != 0 && slot.slot == slot.expected);
	memset(ret_slot, 0, slot_bytes);
	memcpy(ret_slot, &slot, MIN(slot_bytes, sizeof slot));
	return 0;
}
