/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries of a program's own objects, and reading them in place.
 *
 * A loan is an extra owner of the object (page_refs.h), taken under the read
 * lock: whoever frees the object waits for a grace period and meets the owner.
 */
#include "prmem/instance/loan.h"

#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/pm.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_refs.h"
#include "prmem/core/pool.h"
#include "prmem/format/buffer_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/object/buffer.h"
#include "prmem/object/object.h"
#include "prmem/prmem.h"
#include "xarray/xa_internal.h"
#include "xarray/xa_rcu.h"

static uint64_t
loan_key(xa_entry_t entry)
{
	switch (xa_entry_kind(entry)) {
	case XA_KIND_PAGE:
		return (uint64_t)xa_entry_payload(entry) << BUFFER_GRANULE_SHIFT;
	case XA_KIND_RUN:
		return (uint64_t)object_run_pfn(xa_entry_payload(entry)) << BUFFER_GRANULE_SHIFT;
	default:
		return xa_entry_payload(entry);
	}
}

int
prmem_mk_entry(struct prmem_instance *inst, uint32_t idx, void *object, xa_entry_t *ret_entry)
{
	struct prmem_pool *pool = inst->pool;
	struct object obj;
	uint32_t crc;
	int r = object_find(pool, object, &obj);

	if (r < 0)
		return r;
	pm_flush(pool->pm, obj.start, obj.len_bytes, PM_SITE_OBJECT_FLUSH);
	pm_fence(pool->pm, PM_SITE_OBJECT_FENCE);
	crc = crc32c(xa_content_seed(inst->xa.lineage, idx, obj.kind), obj.start, obj.len_bytes);
	*ret_entry = xa_mk_entry(obj.kind, obj.payload, xa_proof_of_crc(crc));
	return 0;
}

/* Take the loan of what the index holds now, unchecked. */
int
instance_pin(struct prmem_instance *inst, uint32_t idx, xa_entry_t *ret_entry, struct object *ret_obj)
{
	xa_entry_t entry;
	int r;

	xa_read_lock();
	entry = xa_load(&inst->xa, idx);
	if (atomic_load(&inst->removed))
		r = -ESHUTDOWN;
	else if (xa_is_err(entry))
		r = xa_err(entry);
	else if (entry == 0 || xa_is_value(entry))
		r = -ENODATA;
	else
		r = object_of_slot(inst->pool, xa_entry_kind(entry), xa_entry_payload(entry), ret_obj);
	if (r == 0)
		r = page_refs_add(inst->pool->refs, loan_key(entry));
	xa_read_unlock();
	*ret_entry = entry;
	return r;
}

void
instance_unpin(struct prmem_instance *inst, xa_entry_t entry)
{
	struct prmem_pool *pool = inst->pool;

	if (!page_refs_drop(pool->refs, loan_key(entry)))
		return;
	/* Its slot is gone and the grace period over: this was the last owner. */
	if (xa_entry_kind(entry) == XA_KIND_BUFFER)
		buffer_free_now(pool->buffers, xa_entry_payload(entry));
	else if (xa_entry_kind(entry) == XA_KIND_RUN)
		page_free_now(pool->pages, object_run_pfn(xa_entry_payload(entry)),
			      1u << object_run_order(xa_entry_payload(entry)));
	else
		page_free_now(pool->pages, xa_entry_payload(entry), 1);
}

int
prmem_borrow(struct prmem_instance *inst, uint32_t idx, struct prmem_loan *ret_loan)
{
	struct object obj;
	xa_entry_t entry;
	uint32_t crc;
	size_t header;
	int r = instance_pin(inst, idx, &entry, &obj);

	if (r < 0)
		return r;
	crc = crc32c(xa_content_seed(inst->xa.lineage, idx, obj.kind), obj.start, obj.len_bytes);
	if (xa_proof_of_crc(crc) != xa_entry_proof(entry)) {
		instance_unpin(inst, entry);
		return -EIO;
	}
	header = obj.kind == XA_KIND_BUFFER ? sizeof(struct buffer_media) : 0;
	ret_loan->addr = (const char *)obj.start + header;
	ret_loan->len_bytes = obj.len_bytes - header;
	ret_loan->opaque[0] = entry;
	ret_loan->opaque[1] = 0;
	return 0;
}

void
prmem_give_back(struct prmem_instance *inst, struct prmem_loan *loan)
{
	instance_unpin(inst, loan->opaque[0]);
	memset(loan, 0, sizeof *loan);
}
