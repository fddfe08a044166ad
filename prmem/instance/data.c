/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The data of an instance: one object that hangs on its record.
 */
#include "prmem/instance/data.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/crc32c.h"
#include "common/pm.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/core/pool.h"
#include "prmem/format/buffer_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/instance/record.h"
#include "prmem/instance/retire.h"
#include "prmem/object/object.h"
#include "prmem/prmem.h"
#include "xarray/xa_internal.h"

/* Like an entry's proof, with the data's own lineage, at index 0. */
uint32_t
instance_data_proof(const struct prmem_instance *inst, const struct object *obj)
{
	uint32_t seed = xa_content_seed(inst->xa.lineage ^ DATA_LINEAGE, 0, obj->kind);

	return xa_proof_of_crc(crc32c(seed, obj->start, obj->len_bytes));
}

static size_t
content_bytes(const struct object *obj)
{
	return obj->kind == XA_KIND_BUFFER ? obj->len_bytes - sizeof(struct buffer_media) : obj->len_bytes;
}

static const char *
content_start(const struct object *obj)
{
	return (const char *)obj->start + (obj->kind == XA_KIND_BUFFER ? sizeof(struct buffer_media) : 0);
}

int
prmem_set_data(struct prmem_instance *inst, void *object, size_t len_bytes)
{
	struct prmem_pool *pool = inst->pool;
	struct directory *dir = pool->dir;
	struct record_media rec;
	struct object obj;
	uint64_t new = 0, old;
	int r;

	LOCK_FOR_SCOPE(&dir->inst_lock);
	if (atomic_load(&inst->removed))
		return -ESHUTDOWN;
	if (pool_is_read_only(pool))
		return -EROFS;
	if (object != NULL) {
		r = object_find(pool, object, &obj);
		if (r < 0)
			return r;
		if (len_bytes > content_bytes(&obj))
			return -EINVAL;
		/* Durable with the new record, by the fence before that is published. */
		pm_flush(pool->pm, obj.start, obj.len_bytes, PM_SITE_DATA_FLUSH);
		new = xa_mk_entry(obj.kind, obj.payload, instance_data_proof(inst, &obj));
	} else if (len_bytes != 0) {
		return -EINVAL;
	}
	pthread_mutex_lock(&dir->rec_lock);
	rec = inst->rec;
	old = le64_to_cpu(rec.data);
	rec.data = cpu_to_le64(new);
	rec.data_bytes = cpu_to_le64(len_bytes);
	r = instance_publish(inst, &rec);
	pthread_mutex_unlock(&dir->rec_lock);
	if (r < 0)
		return r;
	if (new == 0 || xa_entry_kind(old) != xa_entry_kind(new) || xa_entry_payload(old) != xa_entry_payload(new))
		instance_retire_entry(inst, old);
	return page_sync(pool->pages);
}

/*
 * Copy the first @len_bytes of the content.  The proof is computed of the copy,
 * and of the media only where nothing is copied: what is returned is what was
 * checked, also when somebody scribbles on the memory meanwhile.
 */
static bool
copy_proves_itself(const struct prmem_instance *inst, const struct object *obj, uint32_t proof, void *buf,
		   size_t len_bytes)
{
	const char *start = content_start(obj);
	size_t header_bytes = (size_t)(start - (const char *)obj->start);
	uint32_t crc = xa_content_seed(inst->xa.lineage ^ DATA_LINEAGE, 0, obj->kind);

	if (len_bytes != 0)
		memcpy(buf, start, len_bytes);
	crc = crc32c(crc, obj->start, header_bytes);
	crc = crc32c(crc, buf, len_bytes);
	crc = crc32c(crc, start + len_bytes, content_bytes(obj) - len_bytes);
	return xa_proof_of_crc(crc) == proof;
}

int
prmem_get_data(struct prmem_instance *inst, void *buf, size_t buf_bytes, size_t *ret_len_bytes)
{
	struct object obj;
	uint64_t slot;
	size_t len_bytes;
	bool fits;

	/* The lock keeps the object from being replaced and reused meanwhile. */
	LOCK_FOR_SCOPE(&inst->pool->dir->inst_lock);
	if (atomic_load(&inst->removed))
		return -ESHUTDOWN;
	slot = le64_to_cpu(inst->rec.data);
	len_bytes = le64_to_cpu(inst->rec.data_bytes);
	if (slot == 0)
		return -ENODATA;
	if (object_of_slot(inst->pool, xa_entry_kind(slot), xa_entry_payload(slot), &obj) < 0 ||
	    len_bytes > content_bytes(&obj))
		return -EIO;
	fits = len_bytes <= buf_bytes;
	if (!copy_proves_itself(inst, &obj, xa_entry_proof(slot), buf, fits ? len_bytes : 0)) {
		if (fits && len_bytes != 0)
			memset(buf, 0, len_bytes); /* damaged data is never returned */
		return -EIO;
	}
	*ret_len_bytes = len_bytes;
	return fits ? 0 : -ERANGE;
}
