/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instance records: making, checking, publishing.
 */
#include "prmem/instance/record.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/crc32c.h"
#include "common/le.h"
#include "prmem/alloc/page_alloc.h"
#include "prmem/alloc/page_fill.h"
#include "prmem/core/pool.h"
#include "prmem/format/record_format.h"
#include "prmem/instance/instance_types.h"
#include "prmem/prmem.h"

bool
name_is_valid(const char *name)
{
	size_t len = strnlen(name, PRMEM_NAME_MAX + 1);

	if (len == 0 || len > PRMEM_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/' || name[i] == '@')
			return false;
	}
	return true;
}

int
record_fill(struct record_media *rec)
{
	struct {
		uint8_t uuid[16];
		uint64_t origin;
	} random;
	uint64_t now = (uint64_t)time(NULL);

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	rec->magic = cpu_to_le64(RECORD_MAGIC);
	rec->version = cpu_to_le32(RECORD_VERSION);
	memcpy(rec->uuid, random.uuid, sizeof rec->uuid);
	rec->uuid[6] = (uint8_t)((rec->uuid[6] & 0x0f) | 0x40);
	rec->uuid[8] = (uint8_t)((rec->uuid[8] & 0x3f) | 0x80);
	rec->origin = cpu_to_le64(random.origin);
	rec->created_s = cpu_to_le64(now);
	rec->changed_s = cpu_to_le64(now);
	return 0;
}

static bool
is_terminated(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

const char *
record_check(const struct record_media *rec)
{
	if (le64_to_cpu(rec->magic) != RECORD_MAGIC)
		return "it is no instance record";
	if (le32_to_cpu(rec->crc) != crc32c(0, rec, offsetof(struct record_media, crc)))
		return "its checksum does not match";
	if (le32_to_cpu(rec->version) != RECORD_VERSION)
		return "its version is unknown";
	if ((le32_to_cpu(rec->flags) & ~RECORD_FLAGS_KNOWN) != 0)
		return "it has unknown flags";
	if (!is_terminated(rec->subsystem, sizeof rec->subsystem) || !is_terminated(rec->name, sizeof rec->name) ||
	    !is_terminated(rec->description, sizeof rec->description))
		return "a text in it has no end";
	if (!name_is_valid(rec->subsystem) || !name_is_valid(rec->name))
		return "its name is not valid";
	if (le64_to_cpu(rec->size_bytes) > PRMEM_DISK_SIZE_MAX)
		return "its size is impossible";
	return NULL;
}

/*
 * Without the record's own CRC: the CRC of a text that ends with its CRC is the
 * same for all texts, and an older record would prove itself as well.
 */
uint32_t
record_proof(const struct directory *dir, uint32_t number, const struct record_media *rec)
{
	return xa_proof_of_crc(crc32c(xa_content_seed(dir->xa.lineage, number, XA_KIND_PAGE), rec,
				      offsetof(struct record_media, crc)));
}

/*
 * A new root is published without inst_lock; who holds that lock reads other
 * fields.  So only what differs is stored.
 */
static void
update(struct record_media *rec, const struct record_media *new)
{
	for (size_t i = 0; i < sizeof *rec; i += sizeof(uint64_t)) {
		char *to = (char *)rec + i;
		const char *from = (const char *)new + i;

		if (memcmp(to, from, sizeof(uint64_t)) != 0)
			memcpy(to, from, sizeof(uint64_t));
	}
}

int
instance_publish(struct prmem_instance *inst, const struct record_media *rec)
{
	struct prmem_pool *pool = inst->pool;
	struct directory *dir = pool->dir;
	struct record_media new = *rec;
	xa_entry_t old;
	uint32_t pfn;
	int r;

	if (pool_is_read_only(pool))
		return -EROFS;
	new.changed_s = cpu_to_le64((uint64_t)time(NULL));
	new.crc = cpu_to_le32(crc32c(0, &new, offsetof(struct record_media, crc)));
	do {
		/* A first record replaces nothing: what is kept back is not for it (P7). */
		r = page_take(pool->pages, inst->rec_pfn == 0 ? PAGE_USE_NEW : PAGE_USE_REPLACE, 1, &pfn);
		if (r < 0)
			return r;
		/* A page whose memory is bad has been put aside: the next one. */
		r = page_fill(pool, pfn, &new, PM_SITE_RECORD_COPY);
	} while (r < 0);
	pm_fence(pool->pm, PM_SITE_RECORD_FENCE);

	/*
	 * The publishing store.  Durable before it: the new record, and all
	 * that it points to.  A crash right after it leaves the old record or
	 * the new one in the directory; the other one is free.
	 */
	old = xa_store(&dir->xa, inst->number, xa_mk_entry(XA_KIND_PAGE, pfn, record_proof(dir, inst->number, &new)));
	if (xa_is_err(old)) {
		page_untake(pool->pages, &pfn, 1);
		return xa_err(old);
	}
	update(&inst->rec, &new);
	atomic_store(&inst->flags, le32_to_cpu(new.flags));
	if (inst->rec_pfn != 0)
		page_retire(pool->pages, inst->rec_pfn, 0);
	inst->rec_pfn = pfn;
	return 0;
}

bool
instance_is_disk(const struct prmem_instance *inst)
{
	return strcmp(inst->rec.subsystem, PRMEM_SUBSYSTEM_RAMDISK) == 0;
}

bool
instance_replaces(const struct record_media *new, const struct record_media *old)
{
	return (le32_to_cpu(new->flags) & RECORD_FLAG_REPLACES) != 0 &&
	       memcmp(new->replaces, old->uuid, sizeof new->replaces) == 0;
}
