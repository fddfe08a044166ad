/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/media.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/crc32c.h"
#include "prmem/core/pool.h"
#include "prmem/format/buffer_format.h"
#include "prmem/format/region_format.h"
#include "prmem/instance/data.h"
#include "prmem/instance/instance.h"
#include "prmem/object/object.h"
#include "xarray/xa_node.h"

/* An array being walked. */
struct array {
	struct media *media;
	uint64_t lineage, key;
	uint32_t last_node; /* the highest first index of a node */
	void (*entry)(struct array *array, uint32_t idx, uint64_t slot);
};

static void PRINTF_LIKE(2, 3) wrong(struct media *media, const char *fmt, ...)
{
	va_list ap;

	if (media->wrong[0])
		return;
	va_start(ap, fmt);
	vsnprintf(media->wrong, sizeof media->wrong, fmt, ap);
	va_end(ap);
}

static const void *
page_at(const struct media *media, uint32_t pfn)
{
	return media->image + 4096 * (uint64_t)pfn;
}

static uint32_t
stamp(const struct media *media, uint32_t pfn)
{
	return media->ex ? explore_stamp(media->ex, pfn) : 0;
}

static void
touch(const struct media *media, uint64_t off, uint64_t len_bytes)
{
	if (media->ex && !media->quiet)
		explore_touch(media->ex, off, len_bytes);
}

static void
mix(struct media *media, uint64_t value)
{
	media->hash = mix64(media->hash ^ value) + UINT64_C(0x9e3779b97f4a7c15);
}

static bool
take(struct media *media, uint32_t pfn, uint32_t nr, enum page_role role)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (pfn + i >= media->nr_pages || pfn + i < pfn) {
			wrong(media, "I4: page %u is reached and lies outside of the pool", pfn + i);
			return false;
		}
		if (media->role[pfn + i] != ROLE_FREE) {
			wrong(media, "I4: page %u is reached as %d and as %d", pfn + i, media->role[pfn + i], role);
			return false;
		}
		media->role[pfn + i] = (uint8_t)role;
		media->nr_reached++;
	}
	return true;
}

/* ---- content ---- */

static int32_t
number_of(struct media *media, enum xa_kind kind, const void *bytes, size_t len_bytes)
{
	return media->learn ? content_put(media->contents, kind, bytes, len_bytes)
			    : content_find(media->contents, kind, bytes, len_bytes);
}

static int32_t
page_content(struct media *media, uint64_t lineage, uint32_t idx, uint64_t slot)
{
	uint32_t pfn = xa_entry_payload(slot), now = stamp(media, pfn), crc;
	struct media_memo *memo = &media->memo[pfn];
	uint64_t place = lineage * 31 + idx;
	const void *bytes = page_at(media, pfn);

	touch(media, 4096 * (uint64_t)pfn, 4096);
	if (now != 0 && memo->page_stamp == now && memo->page_slot == slot && memo->page_place == place &&
	    memo->page_content != CONTENT_UNKNOWN) {
		mix(media, memo->page_hash);
		return memo->page_content;
	}
	crc = crc32c(xa_content_seed(lineage, idx, XA_KIND_PAGE), bytes, 4096);
	if (crc >> 4 != xa_entry_proof(slot))
		wrong(media, "I3: page %u does not have the content that the slot of index %u proves", pfn, idx);
	memo->page_stamp = now;
	memo->page_slot = slot;
	memo->page_place = place;
	memo->page_hash = content_hash(bytes, 4096);
	memo->page_content = number_of(media, XA_KIND_PAGE, bytes, 4096);
	mix(media, memo->page_hash);
	return memo->page_content;
}

static bool
check_proof(struct media *media, uint64_t seed_lineage, uint32_t idx, uint64_t slot, const void *start, size_t len)
{
	uint32_t crc;

	if (media->instances[media->nr_instances - 1].wiped)
		return true;
	crc = crc32c(xa_content_seed(seed_lineage, idx, xa_entry_kind(slot)), start, len);
	mix(media, content_hash(start, len));
	if (crc >> 4 == xa_entry_proof(slot))
		return true;
	wrong(media, "I3: the run or buffer of index %u (0x%x) does not have the content that its slot proves", idx,
	      xa_entry_payload(slot));
	return false;
}

/* What a run or buffer holds.  Return: false when it cannot be. */
static bool
object_content(struct media *media, uint64_t seed_lineage, uint32_t idx, uint64_t slot, const char **ret_bytes,
	       size_t *ret_len)
{
	uint32_t payload = xa_entry_payload(slot), pfn, nr;
	const struct buffer_media *header;
	uint64_t off, mask;
	size_t len;

	if (xa_entry_kind(slot) == XA_KIND_RUN) {
		pfn = object_run_pfn(payload);
		nr = 1u << object_run_order(payload);
		if (!take(media, pfn, nr, ROLE_PAGE))
			return false;
		touch(media, 4096 * (uint64_t)pfn, 4096 * (uint64_t)nr);
		*ret_bytes = page_at(media, pfn);
		*ret_len = 4096 * (size_t)nr;
		return check_proof(media, seed_lineage, idx, slot, *ret_bytes, *ret_len);
	}
	pfn = payload / BUFFER_GRANULES_PER_PAGE;
	off = payload % BUFFER_GRANULES_PER_PAGE * BUFFER_GRANULE_BYTES;
	if (pfn >= media->nr_pages) {
		wrong(media, "I4: a buffer of index %u lies outside of the pool", idx);
		return false;
	}
	touch(media, 4096 * (uint64_t)pfn + off, sizeof *header);
	header = (const void *)((const char *)page_at(media, pfn) + off);
	len = sizeof *header + le32_to_cpu(header->len_bytes);
	if (le32_to_cpu(header->magic) != BUFFER_MAGIC || len > 4096 - off) {
		wrong(media, "I3: there is no buffer at page %u+0x%" PRIx64 ", where index %u has one", pfn, off, idx);
		return false;
	}
	if (media->role[pfn] != ROLE_BUFFERS && !take(media, pfn, 1, ROLE_BUFFERS))
		return false;
	nr = DIV_ROUND_UP((uint32_t)len, BUFFER_GRANULE_BYTES);
	mask = (nr == 64 ? ~UINT64_C(0) : (UINT64_C(1) << nr) - 1) << off / BUFFER_GRANULE_BYTES;
	if (media->granules[pfn] & mask)
		wrong(media, "I4: the buffer at page %u+0x%" PRIx64 " overlaps another one", pfn, off);
	media->granules[pfn] |= mask;
	touch(media, 4096 * (uint64_t)pfn + off, len);
	*ret_bytes = (const char *)(header + 1);
	*ret_len = len - sizeof *header;
	return check_proof(media, seed_lineage, idx, slot, header, len);
}

static void
add_entry(struct array *array, uint32_t idx, uint64_t slot)
{
	struct media *media = array->media;
	struct media_instance *inst = &media->instances[media->nr_instances - 1];
	int32_t content = CONTENT_UNKNOWN;
	uint32_t payload = xa_entry_payload(slot);
	const char *bytes;
	size_t len;

	switch (xa_entry_kind(slot)) {
	case XA_KIND_PAGE:
		if (take(media, payload, 1, ROLE_PAGE) && !inst->wiped)
			content = page_content(media, array->lineage, idx, slot);
		break;
	case XA_KIND_VALUE:
		if (xa_decode_at(array->key, idx, slot) != xa_mk_value(payload))
			wrong(media, "I2: the value at index %u does not prove itself", idx);
		content = media->learn ? content_put_value(media->contents, payload)
				       : content_find_value(media->contents, payload);
		break;
	case XA_KIND_RUN:
	case XA_KIND_BUFFER:
		if (object_content(media, array->lineage, idx, slot, &bytes, &len))
			content = number_of(media, xa_entry_kind(slot), bytes, len);
		break;
	default:
		wrong(media, "I2: the slot of index %u is 0x%016" PRIx64, idx, slot);
	}
	if (media->nr_entries == MEDIA_MAX_ENTRIES) {
		wrong(media, "more entries than this test can hold");
		return;
	}
	media->entries[media->nr_entries++] = (struct media_entry){idx, content, payload};
	inst->nr_entries++;
}

/* ---- arrays ---- */

static void walk_node(struct array *array, uint32_t pfn, unsigned int level, uint32_t first);

static void
walk_slot(struct array *array, uint64_t slot, unsigned int level, uint32_t idx)
{
	struct media *media = array->media;
	uint32_t pfn = xa_entry_payload(slot);

	mix(media, slot);
	if (level == 0)
		array->entry(array, idx, slot);
	else if (slot != xa_node_at(array->key, level - 1, idx, pfn))
		wrong(media, "I2: the slot of level %u at index %u is 0x%016" PRIx64 ", neither node nor hole", level,
		      idx, slot);
	else
		walk_node(array, pfn, level - 1, idx);
}

static void
walk_node(struct array *array, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct media *media = array->media;
	struct media_memo *memo = &media->memo[pfn < MEDIA_MAX_PAGES ? pfn : 0];
	unsigned int nr = xa_slots_used(level);
	const uint64_t *slots;
	uint32_t now;
	bool known;

	if (!take(media, pfn, 1, ROLE_NODE))
		return;
	array->last_node = MAX(array->last_node, first);
	slots = page_at(media, pfn);
	touch(media, 4096 * (uint64_t)pfn, 8 * (uint64_t)XA_CHUNK_SIZE);
	now = stamp(media, pfn);
	known = now != 0 && memo->node_stamp == now && memo->node_key == array->key && memo->node_first == first &&
		memo->node_level == level;
	if (!known) {
		memset(memo->node_used, 0, sizeof memo->node_used);
		for (unsigned int i = 0; i < nr; i++)
			if (le64toh(slots[i]) != xa_hole_at(array->key, level, first + (uint32_t)(i * xa_span(level))))
				memo->node_used[i / 64] |= UINT64_C(1) << i % 64;
		memo->node_stamp = now;
		memo->node_key = array->key;
		memo->node_first = first;
		memo->node_level = (uint8_t)level;
	}
	/* A copy: a damaged tree may bring us here again. */
	for (unsigned int w = 0; w < (nr + 63) / 64; w++) {
		uint64_t used = memo->node_used[w];

		for (; used && !media->wrong[0]; used &= used - 1) {
			unsigned int i = 64 * w + (unsigned int)__builtin_ctzll(used);

			walk_slot(array, le64toh(slots[i]), level, first + (uint32_t)(i * xa_span(level)));
		}
	}
}

static void
walk_array(struct array *array, uint64_t root, unsigned int height, const char *what)
{
	mix(array->media, root ^ height);
	array->key = xa_place_key(array->lineage);
	if (root == 0 && height == 0)
		return;
	if (height == 0 || height > XA_MAX_HEIGHT ||
	    root != xa_node_at(array->key, height - 1, 0, xa_entry_payload(root)))
		wrong(array->media, "I2: the root of %s does not prove itself", what);
	else
		walk_node(array, xa_entry_payload(root), height - 1, 0);
}

/* The lineage of the array with an origin, as prmem-format(5) has it. */
static uint64_t
lineage_of(const struct media *media, uint64_t origin)
{
	le64 half[2];

	memcpy(half, media->sb->uuid, sizeof half);
	return mix64(mix64(le64_to_cpu(half[0]) ^ mix64(le64_to_cpu(half[1]))) ^ mix64(origin));
}

static void
walk_data(struct media *media, struct media_instance *inst, uint64_t lineage)
{
	uint64_t slot = le64_to_cpu(inst->rec->data), len_bytes = le64_to_cpu(inst->rec->data_bytes);
	const char *bytes = NULL;
	size_t len = 0;

	mix(media, slot);
	if (slot == 0)
		return;
	lineage ^= DATA_LINEAGE;
	if (xa_entry_kind(slot) == XA_KIND_PAGE) {
		uint32_t pfn = xa_entry_payload(slot);

		if (!take(media, pfn, 1, ROLE_PAGE))
			return;
		touch(media, 4096 * (uint64_t)pfn, 4096);
		bytes = page_at(media, pfn);
		len = 4096;
		check_proof(media, lineage, 0, slot, bytes, len);
	} else if (xa_entry_kind(slot) != XA_KIND_RUN && xa_entry_kind(slot) != XA_KIND_BUFFER) {
		wrong(media, "I2: the data slot of %s is 0x%016" PRIx64, inst->rec->name, slot);
	} else if (!object_content(media, lineage, 0, slot, &bytes, &len)) {
		return;
	}
	if (len_bytes > len)
		wrong(media, "I3: the data of %s is shorter than its record says", inst->rec->name);
	else
		inst->data = number_of(media, XA_KIND_BUFFER, bytes, len_bytes);
}

static void
check_name(struct media *media, const struct media_instance *inst)
{
	const struct record_media *rec = inst->rec;

	if (memchr(rec->name, 0, sizeof rec->name) == NULL || memchr(rec->subsystem, 0, sizeof rec->subsystem) == NULL)
		wrong(media, "I5: the name of instance %u has no end", inst->number);
}

static bool
is_same_name(const struct media_instance *a, const struct media_instance *b)
{
	return strcmp(a->rec->name, b->rec->name) == 0 && strcmp(a->rec->subsystem, b->rec->subsystem) == 0;
}

/* I9: whom it has replaced is gone. */
static void
settle_replacement(struct media *media, const struct media_instance *inst)
{
	for (struct media_instance *old = media->instances; old != media->instances + media->nr_instances; old++) {
		if (memcmp(old->rec->uuid, inst->rec->replaces, sizeof old->rec->uuid) != 0)
			continue;
		if (old == inst || old->removed || !is_same_name(old, inst))
			wrong(media, "I9: instance %u cannot have replaced instance %u", inst->number, old->number);
		old->removed = true;
		media->nr_removed++;
	}
}

/* When all are known. */
static void
check_names(struct media *media)
{
	const struct media_instance *end = media->instances + media->nr_instances;

	for (const struct media_instance *inst = media->instances; inst != end && media->nr_replacing > 0; inst++)
		if ((le32_to_cpu(inst->rec->flags) & RECORD_FLAG_REPLACES) != 0)
			settle_replacement(media, inst);
	for (const struct media_instance *inst = media->instances; inst != end; inst++)
		for (const struct media_instance *other = media->instances; other != inst; other++)
			if (!other->removed && !inst->removed && is_same_name(other, inst))
				wrong(media, "I5: there are two instances %s %s", inst->rec->subsystem,
				      inst->rec->name);
}

static bool
is_record(struct media *media, uint64_t lineage, uint32_t number, uint64_t slot, const struct record_media *rec)
{
	uint32_t pfn = xa_entry_payload(slot), now = stamp(media, pfn);
	struct media_memo *memo = &media->memo[pfn];

	if (now == 0 || memo->record_stamp != now || memo->record_slot != slot || memo->record_number != number) {
		if (crc32c(xa_content_seed(lineage, number, XA_KIND_PAGE), rec, 4092) >> 4 != xa_entry_proof(slot) ||
		    le64_to_cpu(rec->magic) != RECORD_MAGIC || le32_to_cpu(rec->crc) != crc32c(0, rec, 4092))
			return false;
		memo->record_stamp = now;
		memo->record_slot = slot;
		memo->record_number = number;
		memo->record_hash = content_hash(rec, 4096);
	}
	mix(media, memo->record_hash);
	return true;
}

/* An entry of the directory. */
static void
add_instance(struct array *array, uint32_t number, uint64_t slot)
{
	struct media *media = array->media;
	struct array entries = {.media = media, .entry = add_entry};
	struct media_instance *inst = &media->instances[media->nr_instances];
	uint32_t pfn = xa_entry_payload(slot), flags;
	const struct record_media *rec;

	if (xa_entry_kind(slot) != XA_KIND_PAGE) {
		wrong(media, "I2: the directory's slot %u is 0x%016" PRIx64, number, slot);
		return;
	}
	if (!take(media, pfn, 1, ROLE_RECORD))
		return;
	touch(media, 4096 * (uint64_t)pfn, 4096);
	rec = page_at(media, pfn);
	if (!is_record(media, array->lineage, number, slot, rec)) {
		wrong(media, "I3: page %u is not the record that the directory's slot %u proves", pfn, number);
		return;
	}
	if (media->nr_instances == MEDIA_MAX_INSTANCES) {
		wrong(media, "more instances than this test can hold");
		return;
	}
	flags = le32_to_cpu(rec->flags);
	*inst = (struct media_instance){
		.number = number,
		.rec = rec,
		.first_entry = media->nr_entries,
		.removed = (flags & (RECORD_FLAG_REMOVED | RECORD_FLAG_UNFINISHED)) != 0,
		.wiped = (flags & RECORD_FLAG_REMOVED) != 0,
	};
	media->nr_instances++;
	media->nr_removed += inst->removed;
	media->nr_unfinished += (flags & RECORD_FLAG_UNFINISHED) != 0;
	media->nr_replacing += (flags & RECORD_FLAG_REPLACES) != 0;
	check_name(media, inst);
	entries.lineage = lineage_of(media, le64_to_cpu(rec->origin));
	walk_array(&entries, le64_to_cpu(rec->root), le32_to_cpu(rec->height), rec->name);
	inst->last_node = entries.last_node;
	walk_data(media, inst, entries.lineage);
}

/* ---- the superblock ---- */

static const struct sb_media *
superblock(struct media *media, uint32_t pfn, bool *ret_valid)
{
	const struct sb_media *sb = page_at(media, pfn);
	struct media_memo *memo = &media->memo[pfn];
	uint32_t now = stamp(media, pfn);

	touch(media, 4096 * (uint64_t)pfn, 4096);
	if (now == 0 || memo->sb_stamp != now) {
		memo->sb_stamp = now;
		memo->sb_hash = content_hash(sb, sizeof *sb);
		memo->sb_valid = le64_to_cpu(sb->magic) == SB_MAGIC && le32_to_cpu(sb->crc) == crc32c(0, sb, 4092);
	}
	mix(media, memo->sb_hash);
	*ret_valid = memo->sb_valid;
	return sb;
}

static void
choose_superblock(struct media *media)
{
	bool a_valid, b_valid;
	const struct sb_media *a = superblock(media, SB_PFN_A, &a_valid);
	const struct sb_media *b = superblock(media, SB_PFN_B, &b_valid);

	media->formatted = a_valid || b_valid;
	media->sb = a;
	media->copies_alike = a_valid && b_valid && memcmp(a, b, sizeof *a) == 0;
	if (!media->formatted)
		return;
	if (a_valid && b_valid) {
		uint64_t seq_a = le64_to_cpu(a->seq), seq_b = le64_to_cpu(b->seq);

		if (memcmp(a->uuid, b->uuid, sizeof a->uuid) != 0)
			wrong(media, "I1: the superblocks are of two pools");
		if (seq_a == seq_b && !media->copies_alike)
			wrong(media, "I1: the superblocks differ under one sequence number");
		if (seq_b > seq_a)
			media->sb = b;
	} else if (b_valid) {
		media->sb = b;
	}
}

/* I8.  The pieces of the pool lie one behind the other. */
static void
check_region(struct media *media, uint32_t number)
{
	const struct sb_region_media *entry = &media->sb->regions[number];
	uint64_t pfn = le64_to_cpu(entry->start_pfn);
	const struct region_media *header;

	if (pfn >= media->nr_pages || !take(media, (uint32_t)pfn, 1, ROLE_FIXED))
		return;
	touch(media, 4096 * pfn, sizeof *header);
	header = page_at(media, (uint32_t)pfn);
	mix(media, content_hash(header, sizeof *header));
	if (le64_to_cpu(header->magic) != REGION_MAGIC || le32_to_cpu(header->crc) != crc32c(0, header, 4092) ||
	    memcmp(header->pool_uuid, media->sb->uuid, sizeof header->pool_uuid) != 0 ||
	    memcmp(header->uuid, entry->uuid, sizeof header->uuid) != 0 || le32_to_cpu(header->number) != number)
		wrong(media, "I8: there is no header of region %u where the superblock has it", number);
}

/* I7.  Where other things lie by now, they are other words. */
static void
check_secret(struct media *media)
{
	const struct media_secret *secret = media->secret;

	for (uint32_t i = 0; i < media->nr_instances; i++)
		if (memcmp(media->instances[i].rec->uuid, secret->uuid, sizeof secret->uuid) == 0)
			return;
	for (uint32_t p = 0; p < secret->nr; p++) {
		const uint64_t *words = page_at(media, secret->pfn[p]);

		touch(media, 4096 * (uint64_t)secret->pfn[p], 4096);
		for (unsigned int w = 0; w < 512; w++)
			if (words[w] != 0 && words[w] == secret->words[p][w]) {
				wrong(media, "I7: page %u+0x%x still holds what a wiped disk held", secret->pfn[p],
				      8 * w);
				return;
			}
	}
}

void
media_keep_secret(const struct media *media, const struct media_instance *inst, struct media_secret *ret_secret)
{
	memcpy(ret_secret->uuid, inst->rec->uuid, sizeof ret_secret->uuid);
	ret_secret->nr = 0;
	for (uint32_t i = 0; i < inst->nr_entries && ret_secret->nr < MEDIA_MAX_SECRET; i++) {
		ret_secret->pfn[ret_secret->nr] = media->entries[inst->first_entry + i].pfn;
		memcpy(ret_secret->words[ret_secret->nr], page_at(media, ret_secret->pfn[ret_secret->nr]), 4096);
		ret_secret->nr++;
	}
}

void
media_walk(struct media *media)
{
	struct array directory = {.media = media, .entry = add_instance};

	media->hash = 0;
	media->wrong[0] = '\0';
	media->nr_reached = media->nr_instances = media->nr_removed = media->nr_entries = 0;
	media->nr_unfinished = media->nr_replacing = 0;
	memset(media->role, 0, media->nr_pages);
	memset(media->granules, 0, media->nr_pages * sizeof media->granules[0]);
	choose_superblock(media);
	if (!media->formatted)
		return;
	if (le64_to_cpu(media->sb->nr_pages) > media->nr_pages) {
		wrong(media, "I1: the superblock says that the pool has %" PRIu64 " pages",
		      le64_to_cpu(media->sb->nr_pages));
		return;
	}
	take(media, SB_PFN_A, 1, ROLE_FIXED);
	take(media, SB_PFN_OWNER, 1, ROLE_FIXED);
	take(media, SB_PFN_B, 1, ROLE_FIXED);
	for (uint32_t i = 1; i < le32_to_cpu(media->sb->nr_regions); i++)
		check_region(media, i);
	directory.lineage = lineage_of(media, 0);
	walk_array(&directory, le64_to_cpu(media->sb->dir_root), le32_to_cpu(media->sb->dir_height), "the directory");
	if (!media->wrong[0])
		check_names(media);
	if (media->secret && !media->wrong[0])
		check_secret(media);
}

const struct media_instance *
media_instance_named(const struct media *media, const char *subsystem, const char *name)
{
	for (uint32_t i = 0; i < media->nr_instances; i++)
		if (!media->instances[i].removed && strcmp(media->instances[i].rec->name, name) == 0 &&
		    strcmp(media->instances[i].rec->subsystem, subsystem) == 0)
			return &media->instances[i];
	return NULL;
}
