/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/crash/op.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/compiler.h"
#include "common/crc32c.h"
#include "prmem/core/pool.h"
#include "prmem/pool/open_memory.h"

#define MAX_WRITE_BYTES (512u << 10)

/* One buffer a thread: workers live as long as the program. */
static _Thread_local char io[MAX_WRITE_BYTES];

/* ---- what is written ---- */

/* Cheap, and different for each tag and word; never zero but for tag 0. */
static uint64_t
word_of(uint64_t tag, uint64_t word)
{
	return tag ? (tag + word) * UINT64_C(0x9e3779b97f4a7c15) | 1 : 0;
}

static void
fill(char *buf, size_t len_bytes, uint64_t tag, uint64_t off)
{
	size_t i = 0;

	while (i < len_bytes) {
		uint64_t value = word_of(tag, (off + i) >> 3);
		size_t in_word = (off + i) & 7, n = MIN(8 - in_word, len_bytes - i);

		memcpy(buf + i, (char *)&value + in_word, n);
		i += n;
		for (; in_word + n == 8 && i + 8 <= len_bytes; i += 8) {
			value = word_of(tag, (off + i) >> 3);
			memcpy(buf + i, &value, 8);
		}
	}
}

static size_t
object_bytes(const struct op *op)
{
	return op->object >= OBJECT_PAGES ? (size_t)4096 << (op->object - OBJECT_PAGES) : op->len_bytes;
}

static enum xa_kind
object_kind(const struct op *op)
{
	return op->object == OBJECT_BUFFER ? XA_KIND_BUFFER : op->object == OBJECT_PAGES ? XA_KIND_PAGE : XA_KIND_RUN;
}

bool
op_is_of_disk(const struct op *op)
{
	return op->type <= OP_RESIZE || (op->type != OP_INST_CREATE && op->size_bytes > 0);
}

void
op_instance_name(uint8_t name, bool is_disk, char ret_name[16])
{
	snprintf(ret_name, 16, "%s%u", is_disk ? "pram" : "n", name);
}

const char *
op_subsystem(bool is_disk)
{
	return is_disk ? PRMEM_SUBSYSTEM_RAMDISK : "test";
}

/* ---- the engine ---- */

static void
note(void *opaque, const char *message)
{
	struct engine *engine = opaque;

	engine->nr_notices++;
	snprintf(engine->notice, sizeof engine->notice, "%s", message);
}

static int
open_pool(struct engine *engine, struct pm *pm, struct prmem_open_args *args, struct prmem_error *ret_err)
{
	args->path = "sim";
	args->nr_mark_threads = 1;
	args->notice = note;
	args->opaque = engine;
	memset(engine->disks, 0, sizeof engine->disks);
	memset(engine->insts, 0, sizeof engine->insts);
	engine->pm = pm;
	engine->pool = NULL;
	engine->nr_notices = 0;
	return pool_open_pm(engine->views ? views_open(engine->views, pm) : pm, args, &engine->pool, ret_err);
}

int
engine_open(struct engine *engine, struct pm *pm, enum prmem_format format, struct prmem_error *ret_err)
{
	struct prmem_open_args args = {.format = format};

	return open_pool(engine, pm, &args, ret_err);
}

int
engine_open_read_only(struct engine *engine, struct pm *pm, struct prmem_error *ret_err)
{
	struct prmem_open_args args = {.format = PRMEM_FORMAT_NEVER, .read_only = true};

	return open_pool(engine, pm, &args, ret_err);
}

static void
put_handles(struct engine *engine, uint8_t inst)
{
	prmem_disk_close(engine->disks[inst]);
	prmem_put(engine->insts[inst]);
	engine->disks[inst] = NULL;
	engine->insts[inst] = NULL;
}

/* A disk handle knows the size it was opened with, and one of a removed instance is of no use. */
static void
drop_handles(struct engine *engine, uint8_t inst)
{
	if (!engine->shared)
		put_handles(engine, inst);
}

void
engine_close(struct engine *engine)
{
	for (uint8_t i = 0; i < NR_PLACES; i++)
		put_handles(engine, i);
	prmem_close(engine->pool);
	engine->pool = NULL;
}

static int
get_disk(struct engine *engine, const struct op *op)
{
	char name[16];

	if (engine->disks[op->inst])
		return 0;
	op_instance_name(op->name, true, name);
	return prmem_disk_open(engine->pool, name, &engine->disks[op->inst], NULL);
}

static int
get_inst(struct engine *engine, const struct op *op)
{
	char name[16];

	if (engine->insts[op->inst])
		return 0;
	op_instance_name(op->name, op_is_of_disk(op), name);
	return prmem_get(engine->pool, op_subsystem(op_is_of_disk(op)), name, 0, &engine->insts[op->inst], NULL);
}

int
engine_handles(struct engine *engine, const struct op *op)
{
	switch (op->type) {
	case OP_WRITE:
	case OP_ZERO:
	case OP_READ:
		return get_disk(engine, op);
	case OP_RENAME:
	case OP_SET_DATA:
	case OP_STORE:
	case OP_CMPXCHG:
	case OP_ERASE_RANGE:
		return get_inst(engine, op);
	default:
		return 0;
	}
}

/* Allocate and fill what op->object says. */
static int
make_object(struct engine *engine, const struct op *op, void **ret_object)
{
	size_t len = object_bytes(op);
	int r;

	if (op->object == OBJECT_BUFFER)
		r = prmem_alloc(engine->pool, len, ret_object);
	else
		r = prmem_alloc_pages(engine->pool, op->object - OBJECT_PAGES, ret_object);
	if (r < 0)
		return r;
	fill(io, len, op->tag, 0);
	engine->user_write(engine->pm, *ret_object, io, len);
	return 0;
}

static void
drop_object(struct engine *engine, const struct op *op, void *object)
{
	if (op->object == OBJECT_BUFFER)
		prmem_free(engine->pool, object);
	else if (op->object >= OBJECT_PAGES)
		prmem_free_pages(engine->pool, object, op->object - OBJECT_PAGES);
}

static int
set_data(struct engine *engine, const struct op *op)
{
	void *object = NULL;
	int r = op->object == OBJECT_NONE ? 0 : make_object(engine, op, &object);

	if (r < 0)
		return r;
	r = prmem_set_data(engine->insts[op->inst], object, op->object == OBJECT_NONE ? 0 : op->len_bytes);
	if (r < 0 && object)
		drop_object(engine, op, object);
	return r;
}

static int
store(struct engine *engine, const struct op *op)
{
	struct prmem_instance *inst = engine->insts[op->inst];
	xa_entry_t entry = 0, old;
	void *object = NULL;
	int r = 0;

	if (op->object == OBJECT_VALUE)
		entry = xa_mk_value((uint32_t)op->tag);
	else if (op->object != OBJECT_NONE)
		r = make_object(engine, op, &object);
	if (r == 0 && object)
		r = prmem_mk_entry(inst, (uint32_t)op->off, object, &entry);
	if (r < 0) {
		if (object)
			drop_object(engine, op, object);
		return r;
	}
	old = xa_store(prmem_xarray(inst), (uint32_t)op->off, entry);
	if (!xa_is_err(old))
		prmem_free_entry(inst, old);
	else if (object)
		drop_object(engine, op, object);
	return xa_err(old);
}

static int64_t
cmpxchg(struct engine *engine, const struct op *op)
{
	xa_entry_t expected = op->old ? xa_mk_value(op->old) : 0;
	xa_entry_t found = xa_cmpxchg(prmem_xarray(engine->insts[op->inst]), (uint32_t)op->off, expected,
				      xa_mk_value((uint32_t)op->tag));

	return xa_is_err(found) ? xa_err(found) : found == expected;
}

static int64_t
read_page(struct engine *engine, const struct op *op)
{
	int r = prmem_disk_read(engine->disks[op->inst], io, 4096, op->off);

	return r < 0 ? r : (int64_t)(content_hash(io, 4096) >> 2);
}

static uint64_t
nr_reserved(struct engine *engine)
{
	struct prmem_pool_info info;

	prmem_pool_info(engine->pool, &info, sizeof info);
	return info.nr_reserved;
}

/* What is promised to disks is counted as it goes, and anew at each open: no less may have been kept for them. */
static int
reopen(struct engine *engine, enum prmem_format format)
{
	bool compare = format == PRMEM_FORMAT_NEVER && engine->pool && !engine->disks[HIDDEN_PLACE];
	uint64_t before = compare ? nr_reserved(engine) : 0;
	struct prmem_error err;
	int r;

	if (engine->pool)
		engine_close(engine);
	r = engine_open(engine, engine->pm, format, &err);
	return r < 0 || !compare || nr_reserved(engine) <= before ? r : -ENOTRECOVERABLE;
}

static int
repair(struct engine *engine)
{
	struct prmem_check_result result;
	struct prmem_error err;
	int r = engine_open(engine, engine->pm, PRMEM_FORMAT_NEVER, &err);

	if (r < 0)
		return r;
	r = prmem_repair(engine->pool, NULL, 0, &result, sizeof result, &err);
	engine_close(engine);
	return r;
}

/* From here on it is a disk like any other, under the handle by which it was filled. */
static int
finish(struct engine *engine, const struct op *op)
{
	int r;

	drop_handles(engine, op->inst);
	r = prmem_disk_finish(engine->disks[HIDDEN_PLACE], op->size_bytes, PRMEM_FINISH_REPLACE, NULL);
	if (r == 0) {
		engine->disks[op->inst] = engine->disks[HIDDEN_PLACE];
		engine->disks[HIDDEN_PLACE] = NULL;
	}
	return r;
}

int64_t
op_run(struct engine *engine, const struct op *op)
{
	struct prmem_disk_args args = {.size_bytes = op->size_bytes, .reserve = op->old == OP_CREATE_RESERVE};
	const struct prmem_region_args region = {.path = engine->views ? engine->views->region_path : NULL,
						 .force = true};
	struct prmem_instance *inst;
	char name[16], new_name[16];
	int r = engine_handles(engine, op);

	if (r < 0)
		return r;
	op_instance_name(op->name, op_is_of_disk(op), name);
	args.name = name;
	switch (op->type) {
	case OP_WRITE:
		fill(io, op->len_bytes, op->tag, op->off);
		return prmem_disk_write(engine->disks[op->inst], io, op->len_bytes, op->off);
	case OP_ZERO:
		return prmem_disk_zero(engine->disks[op->inst], op->len_bytes, op->off);
	case OP_READ:
		return read_page(engine, op);
	case OP_DISK_CREATE:
		return prmem_disk_create(engine->pool, &args, sizeof args, NULL);
	case OP_BEGIN:
		return prmem_disk_begin(engine->pool, &args, sizeof args, &engine->disks[HIDDEN_PLACE], NULL);
	case OP_FINISH:
		return finish(engine, op);
	case OP_ABANDON:
		put_handles(engine, HIDDEN_PLACE);
		return 0;
	case OP_RESIZE:
		drop_handles(engine, op->inst);
		return prmem_disk_resize(engine->pool, name, op->size_bytes, true, NULL);
	case OP_INST_CREATE:
		r = prmem_get(engine->pool, op_subsystem(false), name, PRMEM_CREATE | PRMEM_EXCL, &inst, NULL);
		if (r == 0)
			prmem_put(inst);
		return r;
	case OP_REMOVE:
		if (op->old == OP_REMOVE_WIPE) {
			drop_handles(engine, op->inst);
			return prmem_disk_remove(engine->pool, name, PRMEM_REMOVE_WIPE, NULL, NULL, NULL);
		}
		r = prmem_remove(engine->pool, op_subsystem(op_is_of_disk(op)), name, NULL);
		drop_handles(engine, op->inst);
		return r;
	case OP_RENAME:
		op_instance_name(op->new_name, op_is_of_disk(op), new_name);
		return prmem_rename(engine->insts[op->inst], new_name, NULL);
	case OP_SET_DATA:
		return set_data(engine, op);
	case OP_STORE:
		return store(engine, op);
	case OP_CMPXCHG:
		return cmpxchg(engine, op);
	case OP_ERASE_RANGE:
		return xa_erase_range(prmem_xarray(engine->insts[op->inst]), (uint32_t)op->off,
				      (uint32_t)(op->off + op->len_bytes - 1));
	case OP_REOPEN:
		return reopen(engine, PRMEM_FORMAT_NEVER);
	case OP_GROW:
		return prmem_grow(engine->pool, op->size_bytes, NULL);
	case OP_ADD_REGION:
		return prmem_add_region(engine->pool, &region, sizeof region, NULL);
	case OP_REPAIR:
		return repair(engine);
	case OP_FORMAT:
		return reopen(engine, (enum prmem_format)op->old);
	default:
		return -EINVAL;
	}
}

/* ---- what should come of it ---- */

bool
op_affects(const struct op *op, uint32_t idx)
{
	uint64_t start = (uint64_t)idx << PRMEM_PAGE_SHIFT;

	switch (op->type) {
	case OP_WRITE:
	case OP_ZERO:
	case OP_READ:
		return op->off < start + PRMEM_PAGE_SIZE && start < op->off + op->len_bytes;
	case OP_RESIZE:
		return start + PRMEM_PAGE_SIZE > op->size_bytes;
	case OP_STORE:
	case OP_CMPXCHG:
		return op->off == idx;
	case OP_ERASE_RANGE:
		return op->off <= idx && idx - op->off < op->len_bytes;
	case OP_FINISH:
		return true;
	default:
		return false;
	}
}

static int32_t
written(struct contents *contents, const struct op *op, uint32_t idx, int32_t content)
{
	uint64_t page = (uint64_t)idx << PRMEM_PAGE_SHIFT;
	uint64_t from = MAX(op->off, page), to = MIN(op->off + op->len_bytes, page + PRMEM_PAGE_SIZE);
	char bytes[PRMEM_PAGE_SIZE];

	if (op->type == OP_RESIZE) {
		from = MAX(op->size_bytes, page);
		to = page + PRMEM_PAGE_SIZE;
	}
	if (content == CONTENT_NONE)
		memset(bytes, 0, sizeof bytes);
	else
		memcpy(bytes, contents->list[content].bytes, sizeof bytes);
	fill(bytes + (from - page), to - from, op->type == OP_WRITE ? op->tag : 0, from);
	return content_put(contents, XA_KIND_PAGE, bytes, sizeof bytes);
}

int32_t
op_effect(struct contents *contents, const struct op *op, uint32_t idx, int32_t content, bool *ret_matched)
{
	char bytes[PRMEM_PAGE_SIZE << 3];
	int32_t expected;

	*ret_matched = false;
	if (!op_affects(op, idx))
		return content;
	switch (op->type) {
	case OP_WRITE:
	case OP_ZERO:
	case OP_RESIZE:
		return written(contents, op, idx, content);
	case OP_STORE:
		if (op->object == OBJECT_NONE)
			return CONTENT_NONE;
		if (op->object == OBJECT_VALUE)
			return content_put_value(contents, (uint32_t)op->tag);
		fill(bytes, object_bytes(op), op->tag, 0);
		return content_put(contents, object_kind(op), bytes, object_bytes(op));
	case OP_CMPXCHG:
		expected = op->old ? content_put_value(contents, op->old) : CONTENT_NONE;
		if (content != expected)
			return content;
		*ret_matched = true;
		return content_put_value(contents, (uint32_t)op->tag);
	case OP_ERASE_RANGE:
		return CONTENT_NONE;
	default:
		return content;
	}
}

int32_t
op_data(struct contents *contents, const struct op *op)
{
	char bytes[PRMEM_PAGE_SIZE << 3];

	if (op->object == OBJECT_NONE)
		return CONTENT_NONE;
	fill(bytes, op->len_bytes, op->tag, 0);
	return content_put(contents, XA_KIND_BUFFER, bytes, op->len_bytes);
}

int64_t
op_read_result(const struct contents *contents, int32_t content)
{
	static const char zeroes[4096];

	return (int64_t)(content_hash(content == CONTENT_NONE ? (const void *)zeroes : contents->list[content].bytes,
				      4096) >>
			 2);
}

void
op_text(const struct op *op, char *buf, size_t buf_bytes)
{
	static const char *const names[OP_NR_TYPES] = {"write",	 "zero",     "read",   "disk-create", "begin",
						       "finish", "abandon",  "resize", "inst-create", "remove",
						       "rename", "set-data", "store",  "cmpxchg",     "erase-range",
						       "reopen", "format",   "grow",   "add-region",  "repair"};
	char name[16];

	op_instance_name(op->name, op_is_of_disk(op), name);
	snprintf(buf, buf_bytes,
		 "%s %s off %" PRIu64 " len %" PRIu64 " size %" PRIu64 " tag %" PRIx64 " object %u new %u",
		 names[op->type], name, op->off, op->len_bytes, op->size_bytes, op->tag, op->object, op->new_name);
}
