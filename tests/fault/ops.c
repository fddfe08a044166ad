/* SPDX-License-Identifier: BSD-3-Clause */
/* The operations in which calls fail. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/compiler.h"
#include "tests/fault/scene.h"

#define PAGE PRMEM_PAGE_SIZE

/* ---- opening ---- */

static int
open_writable(struct scene *s, struct prmem_error *err)
{
	return scene_open(s, false, SCENE_BYTES, err);
}

static int
open_read_only(struct scene *s, struct prmem_error *err)
{
	return scene_open(s, true, 0, err);
}

static int
probe(struct scene *s, struct prmem_error *err)
{
	struct prmem_probe_info info;

	return prmem_probe(s->path, &info, sizeof info, err);
}

static int
close_it(struct scene *s, struct prmem_error *err)
{
	(void)err;
	scene_close(s);
	return 0;
}

static int
after_fork(struct scene *s, struct prmem_error *err)
{
	(void)err;
	prmem_after_fork(s->pool);
	return 0;
}

/* ---- disks ---- */

static bool
info_of(struct scene *s, const char *name, struct prmem_instance_info *ret_info)
{
	struct prmem_disk *disk;

	if (prmem_disk_open(s->pool, name, &disk, NULL) < 0)
		return false;
	prmem_disk_info(disk, ret_info, sizeof *ret_info);
	prmem_disk_close(disk);
	return true;
}

static int
create_disk(struct scene *s, struct prmem_error *err)
{
	const struct prmem_disk_args args = {.name = "new", .size_bytes = 64 << 10, .reserve = true};

	return prmem_disk_create(s->pool, &args, sizeof args, err);
}

static int
there_is_new(struct scene *s)
{
	struct prmem_instance_info info;

	return info_of(s, "new", &info);
}

/* A disk of 64 KiB with a byte of it written takes the place of "b". */
static int
replace_b(struct scene *s, struct prmem_error *err)
{
	const struct prmem_disk_args args = {.name = "b", .size_bytes = 1 << 20};
	struct prmem_disk *disk;
	int r = prmem_disk_begin(s->pool, &args, sizeof args, &disk, err);

	if (r < 0)
		return r;
	r = prmem_disk_write(disk, "new", 3, 0);
	if (r == 0)
		r = prmem_disk_finish(disk, 64 << 10, PRMEM_FINISH_REPLACE, err);
	else if (err->code == 0)
		snprintf(err->message, sizeof err->message, "write: %s", strerror(-(err->code = r)));
	prmem_disk_close(disk);
	return r;
}

static int
size_of_b(struct scene *s, uint64_t as_it_was, uint64_t done)
{
	struct prmem_instance_info info;

	if (!info_of(s, "b", &info))
		return done == 0 ? 1 : -1;
	return info.size_bytes == as_it_was ? 0 : info.size_bytes == done ? 1 : -1;
}

static int
b_is_replaced(struct scene *s)
{
	return size_of_b(s, 1 << 20, 64 << 10);
}

static int
grow_b(struct scene *s, struct prmem_error *err)
{
	return prmem_disk_resize(s->pool, "b", UINT64_C(8) << 30, false, err);
}

static int
b_is_larger(struct scene *s)
{
	return size_of_b(s, 1 << 20, UINT64_C(8) << 30);
}

static int
shrink_b(struct scene *s, struct prmem_error *err)
{
	return prmem_disk_resize(s->pool, "b", 4096, true, err);
}

static int
b_is_smaller(struct scene *s)
{
	return size_of_b(s, 1 << 20, 4096);
}

static int
remove_b(struct scene *s, struct prmem_error *err)
{
	return prmem_disk_remove(s->pool, "b", 0, NULL, NULL, err);
}

static int
wipe_b(struct scene *s, struct prmem_error *err)
{
	return prmem_disk_remove(s->pool, "b", PRMEM_REMOVE_WIPE, NULL, NULL, err);
}

static int
b_is_gone(struct scene *s)
{
	return size_of_b(s, 1 << 20, 0);
}

static int
set_b(struct scene *s, struct prmem_error *err)
{
	static const bool yes = true;
	const struct prmem_disk_changes changes = {.reserve = &yes, .description = "described"};

	return prmem_disk_set(s->pool, "b", &changes, sizeof changes, err);
}

static int
b_is_described(struct scene *s)
{
	struct prmem_instance_info info;

	return info_of(s, "b", &info) ? info.description[0] != '\0' : -1;
}

/* ---- data ---- */

static int
write_new_places(struct scene *s, struct prmem_error *err)
{
	static char buf[8 * PAGE];

	(void)err;
	memset(buf, 9, sizeof buf);
	/* Two leaves, and a part of a page at each end. */
	return prmem_disk_write(s->disk, buf, sizeof buf - 100, 508 * PAGE + 50);
}

static int
new_places_are_written(struct scene *s)
{
	static char buf[8 * PAGE];
	int state;

	CHECK_EQ(prmem_disk_open(s->pool, "a", &s->disk, NULL), 0);
	if (prmem_disk_read(s->disk, buf, sizeof buf, 508 * PAGE) < 0)
		return -1;
	state = buf[100] == 9;
	for (size_t i = 50; i < sizeof buf - 50; i++) {
		if (buf[i] != (state ? 9 : 0))
			return -1;
	}
	return state;
}

static int
zero_new_places(struct scene *s, struct prmem_error *err)
{
	(void)err;
	return prmem_disk_zero(s->disk, 4 << 20, 4 << 20);
}

static int
flush(struct scene *s, struct prmem_error *err)
{
	(void)err;
	return prmem_sync(s->pool);
}

static void
write_and_open(struct scene *s)
{
	must_open(s);
	CHECK_EQ(prmem_disk_write(s->disk, "x", 1, 700 * PAGE), 0);
}

/* ---- instances ---- */

static void
open_instance(struct scene *s)
{
	must_open(s);
	CHECK_EQ(prmem_get(s->pool, "test", "i", 0, &s->inst, NULL), 0);
}

static int
create_instance(struct scene *s, struct prmem_error *err)
{
	return prmem_get(s->pool, "test", "new", PRMEM_CREATE, &s->inst, err);
}

static int
there_is_an_instance(struct scene *s)
{
	return prmem_get(s->pool, "test", "new", 0, &s->inst, NULL) == 0;
}

static int
rename_instance(struct scene *s, struct prmem_error *err)
{
	return prmem_rename(s->inst, "new", err);
}

static int
store_object(struct scene *s, struct prmem_error *err)
{
	struct xarray *xa = prmem_xarray(s->inst);
	xa_entry_t entry, old;
	int r;

	(void)err;
	r = prmem_alloc_pages(s->pool, 2, &s->object);
	if (r < 0)
		return r;
	memset(s->object, 3, 4 * PAGE);
	r = prmem_mk_entry(s->inst, 1000, s->object, &entry);
	if (r < 0) {
		prmem_free_pages(s->pool, s->object, 2);
		return r;
	}
	old = xa_store(xa, 1000, entry);
	if (xa_is_err(old)) {
		prmem_free_pages(s->pool, s->object, 2);
		return xa_err(old);
	}
	return 0;
}

static int
object_is_stored(struct scene *s)
{
	struct prmem_loan loan;

	CHECK_EQ(prmem_get(s->pool, "test", "i", 0, &s->inst, NULL), 0);
	if (prmem_borrow(s->inst, 1000, &loan) < 0)
		return 0;
	prmem_give_back(s->inst, &loan);
	return 1;
}

static int
set_data(struct scene *s, struct prmem_error *err)
{
	int r;

	(void)err;
	r = prmem_alloc(s->pool, 200, &s->object);
	if (r < 0)
		return r;
	memset(s->object, 7, 200);
	r = prmem_set_data(s->inst, s->object, 200);
	if (r < 0)
		prmem_free(s->pool, s->object);
	return r;
}

static int
data_is_set(struct scene *s)
{
	size_t len_bytes = 0;
	char buf[200];

	CHECK_EQ(prmem_get(s->pool, "test", "i", 0, &s->inst, NULL), 0);
	return prmem_get_data(s->inst, buf, sizeof buf, &len_bytes) == 0 && len_bytes == 200 && buf[199] == 7;
}

/* ---- the pool ---- */

static int
grow_pool(struct scene *s, struct prmem_error *err)
{
	return prmem_grow(s->pool, 2 * SCENE_BYTES, err);
}

static int
add_region(struct scene *s, struct prmem_error *err)
{
	const struct prmem_region_args args = {.path = s->region, .region_size_bytes = SCENE_BYTES};

	return prmem_add_region(s->pool, &args, sizeof args, err);
}

static int
pool_is_larger(struct scene *s)
{
	struct prmem_pool_info info;

	prmem_pool_info(s->pool, &info, sizeof info);
	return info.size_bytes == SCENE_BYTES ? 0 : info.size_bytes == 2 * SCENE_BYTES ? 1 : -1;
}

static int
set_label(struct scene *s, struct prmem_error *err)
{
	return prmem_set_label(s->pool, "label", err);
}

static int
label_is_set(struct scene *s)
{
	struct prmem_pool_info info;

	prmem_pool_info(s->pool, &info, sizeof info);
	return info.label[0] != '\0';
}

static int
check_pool(struct scene *s, struct prmem_error *err)
{
	const struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;

	return prmem_check(s->pool, &args, sizeof args, &result, sizeof result, err);
}

static void
open_only(struct scene *s)
{
	CHECK_EQ(scene_open(s, false, 0, NULL), 0);
}

static int
repair_pool(struct scene *s, struct prmem_error *err)
{
	const struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;

	return prmem_repair(s->pool, &args, sizeof args, &result, sizeof result, err);
}

static int
pool_is_repaired(struct scene *s)
{
	struct prmem_check_result result;

	return prmem_check(s->pool, NULL, 0, &result, sizeof result, NULL) == 0 && result.nr_findings == 0;
}

static const struct op ops[] = {
	{"format a new file", NO_FILE, .run = open_writable, .has_error = true, .is_open = true, .is_format = true},
	{"format an empty file", EMPTY_FILE, .run = open_writable, .has_error = true, .is_open = true,
	 .is_format = true},
	{"format a blank file", FILE_OF_ZEROES, .run = open_writable, .has_error = true, .is_open = true,
	 .is_format = true},
	{"open", POOL, .run = open_writable, .has_error = true, .is_open = true},
	{"open read-only", POOL, .run = open_read_only, .has_error = true, .is_open = true},
	{"open of two regions", POOL_OF_TWO, .run = open_writable, .has_error = true, .is_open = true},
	{"open and take back a growth", POOL_CUT_GROWTH, .run = open_writable, .has_error = true, .is_open = true},
	{"open and finish a removal", POOL_UNFINISHED, .run = open_writable, .has_error = true, .is_open = true},
	{"open and repair a superblock", POOL_SB_DAMAGED, .run = open_writable, .has_error = true, .is_open = true},
	{"probe", POOL, .run = probe, .has_error = true},
	{"close", POOL, .before = write_and_open, .run = close_it, .is_quiet = true},
	{"after a fork", POOL, .before = must_open, .run = after_fork, .is_quiet = true},
	{"create a disk", POOL, .before = must_open, .run = create_disk, .state = there_is_new, .wanted = 1,
	 .has_error = true},
	{"replace a disk", POOL, .before = must_open, .run = replace_b, .state = b_is_replaced, .wanted = 1,
	 .has_error = true},
	{"make a disk larger", POOL, .before = must_open, .run = grow_b, .state = b_is_larger, .wanted = 1,
	 .has_error = true},
	{"make a disk smaller", POOL, .before = must_open, .run = shrink_b, .state = b_is_smaller, .wanted = 1,
	 .has_error = true},
	{"remove a disk", POOL, .before = must_open, .run = remove_b, .state = b_is_gone, .wanted = 1,
	 .has_error = true},
	{"remove and wipe a disk", POOL, .before = must_open, .run = wipe_b, .state = b_is_gone, .wanted = 1,
	 .has_error = true},
	{"set what a disk is", POOL, .before = must_open, .run = set_b, .state = b_is_described, .wanted = 1,
	 .has_error = true},
	{"write", POOL, .before = must_open, .run = write_new_places, .state = new_places_are_written, .wanted = 1,
	 .may_be_done = true},
	{"zero", POOL, .before = must_open, .run = zero_new_places, .may_be_done = false},
	{"flush", POOL, .before = write_and_open, .run = flush, .may_be_done = false},
	{"create an instance", POOL, .before = must_open, .run = create_instance, .state = there_is_an_instance,
	 .wanted = 1, .has_error = true},
	{"rename an instance", POOL, .before = open_instance, .run = rename_instance, .state = there_is_an_instance,
	 .wanted = 1, .has_error = true},
	{"store an object", POOL, .before = open_instance, .run = store_object, .state = object_is_stored, .wanted = 1},
	{"set data", POOL, .before = open_instance, .run = set_data, .state = data_is_set, .wanted = 1},
	{"grow the pool", POOL, .before = must_open, .run = grow_pool, .state = pool_is_larger, .wanted = 1,
	 .has_error = true},
	{"add a region", POOL, .before = must_open, .run = add_region, .state = pool_is_larger, .wanted = 1,
	 .has_error = true, .syncs_another = true},
	{"set a label", POOL, .before = must_open, .run = set_label, .state = label_is_set, .wanted = 1,
	 .has_error = true},
	{"check", POOL, .before = must_open, .run = check_pool, .has_error = true},
	{"repair", POOL_BIT_FLIPPED, .before = open_only, .run = repair_pool, .state = pool_is_repaired, .wanted = 1,
	 .has_error = true, .may_be_done = true},
};

size_t
fault_ops(const struct op **ret_ops)
{
	*ret_ops = ops;
	return ARRAY_SIZE(ops);
}
