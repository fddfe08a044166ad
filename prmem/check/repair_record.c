/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Repairing the slots of the directory and the records that they name.
 *
 * A slot of the directory and the record it names each prove something: the
 * slot has 28 bits of the record's CRC, seeded with the place; the record has
 * a CRC of its own.  So either can be put right by the other:
 *	1. one bit of the slot
 *	2. one bit of the record: both its own CRC and the slot's proof agree
 *	3. the record is whole, and is that of no other slot: the slot is made anew
 *	4. anywhere in the pool is a record that the slot's proof is of
 *	5. anywhere in the pool is a record whose root proves to be of this
 *	   pool, of an instance that no slot names: found again.  It may be an
 *	   older version of the record: if its tree got higher since, the new
 *	   root has the old one at its slot 0 and is looked for.  What else
 *	   changed cannot be known, so the instance is made read-only for a
 *	   person to look at.
 */
#include "prmem/check/repair_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "common/le.h"
#include "prmem/check/check_types.h"
#include "prmem/check/findings.h"
#include "prmem/check/repair_store.h"
#include "prmem/check/repair_types.h"
#include "prmem/core/pool.h"
#include "prmem/format/record_format.h"
#include "prmem/instance/record.h"
#include "xarray/xa_internal.h"
#include "xarray/xarray_format.h"

static bool
read_record(struct repair *r, uint32_t pfn, struct record_media *ret_rec)
{
	return r->xa->ops->map(r->xa->memory, pfn) != NULL && check_copy_page(r->pool, pfn, ret_rec);
}

static bool
names_record(struct repair *r, uint32_t number, uint64_t slot)
{
	struct record_media rec;

	return xa_entry_kind(slot) == XA_KIND_PAGE && read_record(r, xa_entry_payload(slot), &rec) &&
	       record_proof(r->pool->dir, number, &rec) == xa_entry_proof(slot) && record_check(&rec) == NULL;
}

static bool
slot_proves(struct repair *r, uint32_t number, uint64_t slot)
{
	return slot == xa_hole_slot(r->xa->lineage, 0, number) || names_record(r, number, slot);
}

/* The slots of the others may have been put right just now. */
static bool
is_named(struct repair *r, const struct record_media *rec)
{
	struct record_media other;
	xa_entry_t entry;
	uint32_t number;

	xa_for_each (r->xa, number, entry) {
		if (xa_is_err(entry) || !names_record(r, number, entry) ||
		    !read_record(r, xa_entry_payload(entry), &other))
			continue;
		if (memcmp(other.uuid, rec->uuid, sizeof rec->uuid) == 0 ||
		    (strcmp(other.name, rec->name) == 0 && strcmp(other.subsystem, rec->subsystem) == 0))
			return true;
	}
	return false;
}

/* 1.  Return: was it put right? */
static bool
fix_slot_bit(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number)
{
	uint64_t is = le64toh(atomic_load(slot)), found = 0;
	unsigned int nr = 0;

	for (unsigned int bit = 0; bit < 64; bit++) {
		uint64_t other = is ^ UINT64_C(1) << bit;

		if (slot_proves(r, number, other)) {
			found = other;
			nr++;
		}
	}
	if (nr != 1 || !repair_store(r, pfn, slot, found))
		return false;
	repair_found(r, PRMEM_FOUND_RECORD, number, 1, true, "a single bit of its slot in the directory was put right");
	return true;
}

/* The polynomial of CRC-32C, the way round that CRCs are computed. */
#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)

/*
 * 2.  What a bit does to a CRC depends on its place alone: of the last bit it
 * is the polynomial, of each one before that divided by x once more.  So all
 * bits of the record are tried without computing the CRC of a page for each.
 */
static bool
fix_record_bit(struct repair *r, pm_slot *slot, uint32_t number)
{
	static const size_t nr_proven_bits = 8 * offsetof(struct record_media, crc);
	uint64_t is = le64toh(atomic_load(slot));
	uint32_t rec_pfn = xa_entry_payload(is), wanted, effect = 0;
	union {
		struct record_media rec;
		uint8_t bytes[sizeof(struct record_media)];
		uint64_t words[sizeof(struct record_media) / 8];
	} u;
	size_t found = 0;
	unsigned int nr = 0;

	if (xa_entry_kind(is) != XA_KIND_PAGE || !read_record(r, rec_pfn, &u.rec))
		return false;
	wanted = record_proof(r->pool->dir, number, &u.rec) ^ xa_entry_proof(is);
	/* The proof leaves out the record's own CRC, so a bit of that has no effect on it. */
	for (size_t bit = 8 * sizeof u; bit-- > 0;) {
		if (bit == nr_proven_bits - 1)
			effect = CRC32C_POLYNOMIAL;
		else
			effect = effect >> 1 ^ ((effect & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
		if (xa_proof_of_crc(effect) != wanted)
			continue;
		u.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (record_check(&u.rec) == NULL) {
			found = bit;
			nr++;
		}
		u.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (nr != 1)
		return false;
	u.bytes[found / 8] ^= (uint8_t)(1u << found % 8);
	if (!repair_store(r, rec_pfn, (pm_slot *)pool_page(r->pool, rec_pfn) + found / 64,
			  le64toh(u.words[found / 64])))
		return false;
	repair_found(r, PRMEM_FOUND_RECORD, number, 1, true, "a single bit of its record was put right");
	return true;
}

/* Let a slot name a record. */
static bool
name_record(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number, uint32_t rec_pfn,
	    const struct record_media *rec, const char *text)
{
	if (!repair_store(r, pfn, slot, xa_mk_entry(XA_KIND_PAGE, rec_pfn, record_proof(r->pool->dir, number, rec))))
		return false;
	repair_found(r, PRMEM_FOUND_RECORD, number, 1, true, text);
	return true;
}

/* 3. */
static bool
make_slot(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number)
{
	uint32_t rec_pfn = xa_entry_payload(le64toh(atomic_load(slot)));
	struct record_media rec;

	return read_record(r, rec_pfn, &rec) && record_check(&rec) == NULL && !is_named(r, &rec) &&
	       name_record(r, pfn, slot, number, rec_pfn, &rec, "its slot in the directory was made anew");
}

static void
note_lost(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number)
{
	if (r->nr_lost == r->max_lost) {
		size_t max = MAX(64, 2 * r->max_lost);
		struct lost_slot *more = realloc(r->lost, max * sizeof *more);

		if (more == NULL) {
			r->error = -ENOMEM;
			return;
		}
		r->lost = more;
		r->max_lost = max;
	}
	r->lost[r->nr_lost++] = (struct lost_slot){number, pfn, slot};
}

void
repair_record_slot(struct repair *r, uint32_t pfn, pm_slot *slot, uint32_t number)
{
	uint64_t is = le64toh(atomic_load(slot));

	if (slot_proves(r, number, is) || fix_slot_bit(r, pfn, slot, number) || r->error < 0 ||
	    fix_record_bit(r, slot, number) || r->error < 0 || make_slot(r, pfn, slot, number) || r->error < 0)
		return;
	note_lost(r, pfn, slot, number);
}

/* ---- 4 and 5: records without a slot ---- */

struct orphan {
	uint32_t pfn;
	uint32_t height;
	uint64_t changed_s;
	uint8_t uuid[16];
	bool root_proves;
	bool taken;
};

struct orphans {
	struct orphan *list;
	size_t nr, max;
};

static bool
root_proves(struct repair *r, const struct record_media *rec)
{
	uint64_t root = le64_to_cpu(rec->root);
	uint32_t height = le32_to_cpu(rec->height);

	return height > 0 && height <= XA_MAX_HEIGHT &&
	       root == xa_node_slot(pool_lineage(r->pool, le64_to_cpu(rec->origin)), height - 1, 0,
				    xa_entry_payload(root)) &&
	       r->xa->ops->map(r->xa->memory, xa_entry_payload(root)) != NULL;
}

static bool
add_orphan(struct orphans *orphans, const struct orphan *orphan)
{
	if (orphans->nr == orphans->max) {
		size_t max = MAX(64, 2 * orphans->max);
		struct orphan *more = realloc(orphans->list, max * sizeof *more);

		if (more == NULL)
			return false;
		orphans->list = more;
		orphans->max = max;
	}
	orphans->list[orphans->nr++] = *orphan;
	return true;
}

/* The newest first; of one second, the one with the higher tree. */
static int
compare_orphans(const void *a, const void *b)
{
	const struct orphan *x = a, *y = b;

	if (x->changed_s != y->changed_s)
		return x->changed_s > y->changed_s ? -1 : 1;
	if (x->height != y->height)
		return x->height > y->height ? -1 : 1;
	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* The page whose first word is @slot: a node above the one that it links.  Return: 0 if there is none. */
static uint32_t
find_node_above(struct repair *r, uint64_t slot)
{
	char page[PRMEM_PAGE_SIZE];
	uint64_t first;

	for (uint64_t pfn = 1; pfn < r->pool->nr_pages; pfn++) {
		if (r->xa->ops->map(r->xa->memory, (uint32_t)pfn) == NULL ||
		    !check_copy_page(r->pool, (uint32_t)pfn, page))
			continue;
		memcpy(&first, page, sizeof first);
		if (le64toh(first) == slot)
			return (uint32_t)pfn;
	}
	return 0;
}

/* Go up from a root that may not be the newest one. */
static void
climb(struct repair *r, struct record_media *rec)
{
	uint64_t lineage = pool_lineage(r->pool, le64_to_cpu(rec->origin));

	for (uint32_t height = le32_to_cpu(rec->height); height < XA_MAX_HEIGHT; height++) {
		uint32_t pfn = find_node_above(r, le64_to_cpu(rec->root));

		if (pfn == 0)
			return;
		rec->root = cpu_to_le64(xa_node_slot(lineage, height, 0, pfn));
		rec->height = cpu_to_le32(height + 1);
	}
}

/* What a record that was found by 5 is to become.  Done twice, or to one that is half done, it comes to the same. */
static void
bring_up_to_date(struct repair *r, struct record_media *rec)
{
	uint64_t lineage = pool_lineage(r->pool, le64_to_cpu(rec->origin)), root = le64_to_cpu(rec->root);

	for (uint32_t height = 1; height <= XA_MAX_HEIGHT; height++) {
		if (root == xa_node_slot(lineage, height - 1, 0, xa_entry_payload(root)))
			rec->height = cpu_to_le32(height);
	}
	climb(r, rec);
	/* An older version of its record may say that it is not finished yet. */
	rec->flags = cpu_to_le32((le32_to_cpu(rec->flags) & ~(RECORD_FLAG_UNFINISHED | RECORD_FLAG_REPLACES)) |
				 RECORD_FLAG_READ_ONLY);
	rec->crc = cpu_to_le32(crc32c(0, rec, offsetof(struct record_media, crc)));
}

/* A record that is whole; or that a crash left half up to date, of which the CRC is already the new one (renew()). */
static bool
read_orphan(struct repair *r, uint32_t pfn, struct record_media *ret_rec)
{
	uint32_t crc;

	if (!read_record(r, pfn, ret_rec) || le64_to_cpu(ret_rec->magic) != RECORD_MAGIC)
		return false;
	if (record_check(ret_rec) == NULL)
		return true;
	crc = le32_to_cpu(ret_rec->crc);
	bring_up_to_date(r, ret_rec);
	return le32_to_cpu(ret_rec->crc) == crc && record_check(ret_rec) == NULL;
}

static void
find_orphans(struct repair *r, struct orphans *orphans)
{
	struct record_media rec;

	for (uint64_t pfn = 0; pfn < r->pool->nr_pages && r->error == 0; pfn++) {
		struct orphan orphan = {.pfn = (uint32_t)pfn};

		if (pfn % XA_CHUNK_SIZE == 0)
			r->error = check_tick(r->c, 0);
		if (!read_orphan(r, (uint32_t)pfn, &rec))
			continue;
		orphan.height = le32_to_cpu(rec.height);
		orphan.changed_s = le64_to_cpu(rec.changed_s);
		orphan.root_proves = root_proves(r, &rec);
		memcpy(orphan.uuid, rec.uuid, sizeof orphan.uuid);
		if (!add_orphan(orphans, &orphan))
			r->error = -ENOMEM;
	}
	if (orphans->nr > 0)
		qsort(orphans->list, orphans->nr, sizeof *orphans->list, compare_orphans);
}

/* All versions of one instance are taken with one of them. */
static void
take_orphan(struct orphans *orphans, const struct orphan *orphan)
{
	for (size_t i = 0; i < orphans->nr; i++) {
		if (memcmp(orphans->list[i].uuid, orphan->uuid, sizeof orphan->uuid) == 0)
			orphans->list[i].taken = true;
	}
}

/*
 * Bring a record that was found by 5 up to date, where it lies: nothing points
 * to it yet.  First its CRC becomes the new one, then the rest does: a crash
 * between leaves a record of which the next repair can tell what it was to
 * become.
 */
static bool
renew(struct repair *r, uint32_t pfn, struct record_media *rec)
{
	static const size_t last = sizeof *rec / sizeof(uint64_t) - 1;
	const struct prmem_check_args *args = r->c->args;
	uint64_t words[sizeof *rec / sizeof(uint64_t)];

	if (args->keep != NULL)
		r->error = args->keep(args->opaque, (uint64_t)pfn << PRMEM_PAGE_SHIFT, rec, sizeof *rec);
	if (r->error < 0)
		return false;
	bring_up_to_date(r, rec);
	memcpy(words, rec, sizeof words);
	if (!repair_store(r, pfn, (pm_slot *)pool_page(r->pool, pfn) + last, le64toh(words[last])))
		return false;
	pm_copy(r->pool->pm, pool_page(r->pool, pfn), rec, sizeof *rec, PM_SITE_REPAIR_RECORD_COPY);
	pm_fence(r->pool->pm, PM_SITE_REPAIR_RECORD_FENCE);
	return true;
}

static bool
place_orphan(struct repair *r, struct orphans *orphans, const struct lost_slot *lost, bool by_proof)
{
	uint64_t is = le64toh(atomic_load(lost->slot));
	struct record_media rec;

	for (size_t i = 0; i < orphans->nr; i++) {
		struct orphan *orphan = &orphans->list[i];

		if (orphan->taken || (!by_proof && !orphan->root_proves) || !read_orphan(r, orphan->pfn, &rec))
			continue;
		if (by_proof && record_proof(r->pool->dir, lost->number, &rec) != xa_entry_proof(is))
			continue;
		if (is_named(r, &rec))
			continue;
		if (!by_proof && !renew(r, orphan->pfn, &rec))
			return false;
		if (!name_record(
			    r, lost->pfn, lost->slot, lost->number, orphan->pfn, &rec,
			    by_proof ? "its record was found again"
				     : "an instance was found again, perhaps as it was some time ago; it is read-only"))
			return false;
		take_orphan(orphans, orphan);
		return true;
	}
	return false;
}

void
repair_lost_records(struct repair *r)
{
	struct orphans orphans = {NULL, 0, 0};
	size_t nr_left = 0;

	if (r->nr_lost == 0 || r->error < 0)
		return;
	find_orphans(r, &orphans);
	/* First those that are certain, so that no slot gets what is another one's. */
	for (size_t i = 0; i < r->nr_lost && r->error == 0; i++) {
		if (!place_orphan(r, &orphans, &r->lost[i], true))
			r->lost[nr_left++] = r->lost[i];
	}
	for (size_t i = 0; i < nr_left && r->error == 0; i++) {
		const struct lost_slot *lost = &r->lost[i];

		if (place_orphan(r, &orphans, lost, false) || r->error < 0)
			continue;
		if (repair_store(r, lost->pfn, lost->slot, xa_hole_slot(r->xa->lineage, 0, lost->number)))
			repair_found(r, PRMEM_FOUND_RECORD, lost->number, 1, false,
				     "its record is lost, and with it the instance");
	}
	free(orphans.list);
}
