/* SPDX-License-Identifier: BSD-3-Clause */
/* The sample pool that is damaged. */
#include "tests/damage/sample.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "prmem/format/buffer_format.h"
#include "prmem/format/record_format.h"
#include "prmem/pool/open_memory.h"
#include "tests/unit/unit.h"
#include "xarray/xarray_format.h"

const char *const sample_names[SAMPLE_NR_INSTANCES] = {"a", "b", "i"};

static void
fill(uint8_t *buf, size_t len_bytes, uint64_t seed)
{
	for (size_t i = 0; i < len_bytes; i++)
		buf[i] = (uint8_t)(mix64(seed + i / 8) >> (i % 8 * 8));
}

const struct sample_item *
sample_item(const struct sample *s, uint32_t inst, uint32_t idx)
{
	for (uint32_t i = 0; i < s->nr_items; i++) {
		if (s->items[i].inst == inst && s->items[i].idx == idx)
			return &s->items[i];
	}
	return NULL;
}

static struct sample_item *
add_item(struct sample *s, uint32_t inst, uint32_t idx, size_t len_bytes)
{
	struct sample_item *item = &s->items[s->nr_items++];

	CHECK(s->nr_items <= SAMPLE_MAX_ITEMS && len_bytes <= sizeof item->content);
	*item = (struct sample_item){.inst = inst, .idx = idx, .len_bytes = (uint32_t)len_bytes};
	fill(item->content, len_bytes, (uint64_t)inst << 40 | (uint64_t)idx << 8 | 1);
	return item;
}

static void
write_page(struct sample *s, struct prmem_disk *disk, uint32_t inst, uint32_t idx)
{
	struct sample_item *item = add_item(s, inst, idx, MEM_POOL_PAGE);
	uint64_t off = (uint64_t)idx * MEM_POOL_PAGE;
	uint64_t left = prmem_disk_size(disk) - off;

	if (left < MEM_POOL_PAGE)
		item->len_bytes = (uint32_t)left;
	fill(item->older, sizeof item->older, (uint64_t)inst << 40 | (uint64_t)idx << 8 | 2);
	CHECK_EQ(prmem_disk_write(disk, item->older, item->len_bytes, off), 0);
	CHECK_EQ(prmem_disk_write(disk, item->content, item->len_bytes, off), 0);
}

static struct prmem_disk *
make_disk(struct sample *s, struct prmem_pool *pool, uint32_t inst, uint64_t size_bytes)
{
	struct prmem_disk_args args = {.name = sample_names[inst], .size_bytes = size_bytes};
	struct prmem_disk *disk;

	s->size_bytes[inst] = size_bytes;
	CHECK_EQ(prmem_disk_create(pool, &args, sizeof args, NULL), 0);
	CHECK_EQ(prmem_disk_open(pool, args.name, &disk, NULL), 0);
	return disk;
}

static void
make_instance(struct sample *s, struct prmem_pool *pool)
{
	struct prmem_instance *inst;
	struct sample_item *item;
	xa_entry_t entry;
	void *p;

	CHECK_EQ(prmem_get(pool, "test", sample_names[SAMPLE_I], PRMEM_CREATE, &inst, NULL), 0);
	for (uint32_t i = 0; i < 5; i++) {
		/* Whole words: parts are of 8 bytes. */
		size_t len_bytes = i < 2 ? (size_t)MEM_POOL_PAGE << i : 56 + 104 * i;

		item = add_item(s, SAMPLE_I, 10 * i, len_bytes);
		if (i < 2)
			CHECK_EQ(prmem_alloc_pages(pool, i, &p), 0);
		else
			CHECK_EQ(prmem_alloc(pool, len_bytes, &p), 0);
		memcpy(p, item->content, len_bytes);
		CHECK_EQ(prmem_mk_entry(inst, item->idx, p, &entry), 0);
		CHECK_EQ(xa_store(prmem_xarray(inst), item->idx, entry), 0);
	}
	item = add_item(s, SAMPLE_I, 99, 0);
	item->is_value = true;
	item->value = 0xc0ffee;
	CHECK_EQ(xa_store(prmem_xarray(inst), 99, xa_mk_value(item->value)), 0);
	item = add_item(s, SAMPLE_I, SAMPLE_DATA, 336);
	CHECK_EQ(prmem_alloc(pool, item->len_bytes, &p), 0);
	memcpy(p, item->content, item->len_bytes);
	CHECK_EQ(prmem_set_data(inst, p, item->len_bytes), 0);
	prmem_put(inst);
}

/* ---- to what each 8 bytes belong; written from prmem-format(5), not from the engine ---- */

static void
claim(struct sample *s, uint64_t off, uint64_t len_bytes, struct part part)
{
	for (uint64_t w = off / 8; w < (off + len_bytes + 7) / 8; w++) {
		CHECK(w < SAMPLE_WORDS);
		CHECK_EQ(s->parts[w].kind, PART_NONE);
		s->parts[w] = part;
	}
}

/* Where an object lies that a slot points to. */
static void
object_of(const struct sample *s, uint64_t slot, uint64_t *ret_off, uint64_t *ret_len)
{
	uint32_t payload = (uint32_t)slot, order_bit;
	const struct buffer_media *buffer;

	switch (slot >> XA_SLOT_KIND_SHIFT & 0xf) {
	case XA_KIND_PAGE:
		*ret_off = (uint64_t)payload * MEM_POOL_PAGE;
		*ret_len = MEM_POOL_PAGE;
		return;
	case XA_KIND_RUN:
		order_bit = payload & -payload;
		*ret_off = (uint64_t)(payload - order_bit) * MEM_POOL_PAGE;
		*ret_len = (uint64_t)order_bit * 2 * MEM_POOL_PAGE;
		return;
	case XA_KIND_BUFFER:
		*ret_off = (uint64_t)payload * BUFFER_GRANULE_BYTES;
		buffer = (const void *)(s->mem.image + *ret_off);
		*ret_len = sizeof *buffer + le32_to_cpu(buffer->len_bytes);
		return;
	default:
		*ret_off = *ret_len = 0;
	}
}

static void
walk(struct sample *s, uint32_t inst, uint32_t pfn, unsigned int level, uint64_t first)
{
	const uint64_t *slots = (const void *)(s->mem.image + (uint64_t)pfn * MEM_POOL_PAGE);
	uint64_t span = UINT64_C(1) << (XA_CHUNK_SHIFT * level);

	if (level == 0) {
		CHECK(s->nr_leaves < ARRAY_SIZE(s->leaf_pfn));
		s->leaf_pfn[s->nr_leaves++] = pfn;
	}
	for (uint32_t i = 0; i < XA_CHUNK_SIZE; i++) {
		uint64_t slot = le64toh(slots[i]), idx = first + i * span, off, len;
		struct part part = {PART_SLOT, inst, (uint32_t)idx, (uint32_t)(idx + span - 1)};

		claim(s, (uint64_t)pfn * MEM_POOL_PAGE + 8 * i, 8, part);
		if ((slot >> XA_SLOT_KIND_SHIFT & 0xf) == XA_KIND_NODE) {
			walk(s, inst, (uint32_t)slot, level - 1, idx);
			continue;
		}
		object_of(s, slot, &off, &len);
		if (len == 0)
			continue;
		part.kind = PART_CONTENT;
		claim(s, off, len, part);
		for (uint32_t k = 0; k < s->nr_items; k++) {
			if (s->items[k].inst == inst && s->items[k].idx == idx && len == MEM_POOL_PAGE)
				s->content_pfn[k] = (uint32_t)(off / MEM_POOL_PAGE);
		}
	}
}

static void
walk_all(struct sample *s)
{
	const struct sb_media *sb = (const void *)s->mem.image;
	const uint64_t *dir;
	uint32_t dir_pfn;

	claim(s, (uint64_t)SB_PFN_A * MEM_POOL_PAGE, MEM_POOL_PAGE, (struct part){.kind = PART_SB_A});
	claim(s, (uint64_t)SB_PFN_B * MEM_POOL_PAGE, MEM_POOL_PAGE, (struct part){.kind = PART_SB_B});
	CHECK_EQ(le32_to_cpu(sb->dir_height), 1);
	dir_pfn = (uint32_t)le64_to_cpu(sb->dir_root);
	dir = (const void *)(s->mem.image + (uint64_t)dir_pfn * MEM_POOL_PAGE);
	for (uint32_t i = 0, inst = 0; i < XA_CHUNK_SIZE; i++) {
		uint64_t slot = le64toh(dir[i]), off, len;
		bool used = (slot >> XA_SLOT_KIND_SHIFT & 0xf) == XA_KIND_PAGE;
		struct part part = {.kind = used ? PART_DIR_SLOT : PART_NONE, .inst = inst};
		const struct record_media *rec;

		claim(s, (uint64_t)dir_pfn * MEM_POOL_PAGE + 8 * i, 8, part);
		if (!used)
			continue;
		rec = (const void *)(s->mem.image + (uint64_t)(uint32_t)slot * MEM_POOL_PAGE);
		CHECK_STR(rec->name, sample_names[inst]);
		part.kind = PART_RECORD;
		claim(s, (uint64_t)(uint32_t)slot * MEM_POOL_PAGE, MEM_POOL_PAGE, part);
		walk(s, inst, (uint32_t)le64_to_cpu(rec->root), le32_to_cpu(rec->height) - 1, 0);
		object_of(s, le64_to_cpu(rec->data), &off, &len);
		part.kind = PART_DATA;
		claim(s, off, len, part);
		inst++;
	}
}

void
sample_make(struct sample *s)
{
	static const uint32_t idx_a[] = {0, 1, 2, 3, 100, 510, 511, 512, 1000, 1022};
	struct prmem_open_args args = {.nr_mark_threads = 1, .label = "sample"};
	struct prmem_disk *disk;
	struct prmem_pool *pool;
	struct prmem_error err;

	memset(s, 0, sizeof *s);
	mem_pm_make(&s->mem, SAMPLE_BYTES);
	CHECK_EQ(pool_open_pm(&s->mem.pm, &args, &pool, &err), 0);
	disk = make_disk(s, pool, SAMPLE_A, 1030 * MEM_POOL_PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(idx_a); i++)
		write_page(s, disk, SAMPLE_A, idx_a[i]);
	prmem_disk_close(disk);
	disk = make_disk(s, pool, SAMPLE_B, 8 * MEM_POOL_PAGE + 123);
	for (uint32_t idx = 0; idx < 9; idx += idx == 4 ? 2 : 1)
		write_page(s, disk, SAMPLE_B, idx);
	prmem_disk_close(disk);
	make_instance(s, pool);

	/* One more write to a disk, to have a leaf of before. */
	prmem_close(pool);
	walk_all(s);
	memcpy(s->older_leaf, s->mem.image + (uint64_t)s->leaf_pfn[0] * MEM_POOL_PAGE, MEM_POOL_PAGE);
	memset(s->parts, 0, sizeof s->parts);
	s->nr_leaves = 0;
	CHECK_EQ(mem_pool_open(&s->mem, &pool, &err), 0);
	CHECK_EQ(prmem_disk_open(pool, "a", &disk, NULL), 0);
	memcpy(s->items[0].older, s->items[0].content, MEM_POOL_PAGE);
	fill(s->items[0].content, MEM_POOL_PAGE, 12345);
	CHECK_EQ(prmem_disk_write(disk, s->items[0].content, MEM_POOL_PAGE, 0), 0);
	prmem_disk_close(disk);
	prmem_close(pool);
	walk_all(s);
	memcpy(s->pristine, s->mem.image, SAMPLE_BYTES);
	s->mem.keep = true;
}
