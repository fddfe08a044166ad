/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool with one of everything: makes it, or checks that it is all there.
 * The images of earlier versions are kept and must open for ever.
 *
 *	golden make POOL
 *	golden check POOL     read-only; the pool must not change
 *	golden change POOL    change something, take it back
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <prmem.h>
#include <xarray.h>

#define POOL_BYTES (UINT64_C(512) << 10)
#define DISK_BYTES (UINT64_C(3) << 30)
#define RUN_ORDER 2

/* Places in a disk that take a tree of all the heights it can have. */
static const uint64_t places[] = {0, 4096, 511 * 4096, 512 * 4096, UINT64_C(1) << 30, DISK_BYTES - 4096};

#define DIE(...)                                                                                                       \
	do {                                                                                                           \
		fprintf(stderr, "golden:%d: ", __LINE__);                                                              \
		fprintf(stderr, __VA_ARGS__);                                                                          \
		fputc('\n', stderr);                                                                                   \
		exit(1);                                                                                               \
	} while (0)

#define NEED(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			DIE("not so: %s", #cond);                                                                      \
	} while (0)

/* Bytes that tell what they belong to. */
static void
fill(unsigned char *buf, size_t len_bytes, uint64_t what)
{
	for (size_t i = 0; i < len_bytes; i++)
		buf[i] = (unsigned char)((i * 7 + what * 13 + (i >> 8)) | 1);
}

static bool
is_filled(const void *buf, size_t len_bytes, uint64_t what)
{
	unsigned char *want = malloc(len_bytes);
	bool same;

	NEED(want != NULL);
	fill(want, len_bytes, what);
	same = memcmp(buf, want, len_bytes) == 0;
	free(want);
	return same;
}

static struct prmem_pool *
open_pool(const char *path, uint64_t new_bytes, bool read_only)
{
	struct prmem_open_args args = {
		.path = path,
		.pool_size_bytes = new_bytes,
		.format = new_bytes == 0 ? PRMEM_FORMAT_NEVER : PRMEM_FORMAT_AUTO,
		.read_only = read_only,
	};
	struct prmem_pool *pool;
	struct prmem_error err;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0)
		DIE("%s", err.message);
	return pool;
}

static void
put_object(struct prmem_instance *inst, uint32_t idx, void *object)
{
	xa_entry_t entry;

	NEED(prmem_mk_entry(inst, idx, object, &entry) == 0);
	NEED(xa_store(prmem_xarray(inst), idx, entry) == 0);
}

static void
make(const char *path)
{
	struct prmem_disk_args args = {.name = "pram0", .size_bytes = DISK_BYTES, .description = "golden disk"};
	struct prmem_disk_args protected = {.name = "empty.2", .size_bytes = 12345, .read_only = true};
	struct prmem_pool *pool = open_pool(path, POOL_BYTES, false);
	struct prmem_instance *inst;
	struct prmem_disk *disk;
	unsigned char buf[4096];
	void *object;

	NEED(prmem_disk_create(pool, &args, sizeof args, NULL) == 0);
	NEED(prmem_disk_open(pool, "pram0", &disk, NULL) == 0);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		fill(buf, sizeof buf, 20 + i);
		NEED(prmem_disk_write(disk, buf, sizeof buf, places[i]) == 0);
	}
	/* A page that went, and a part of one. */
	fill(buf, sizeof buf, 1);
	NEED(prmem_disk_write(disk, buf, sizeof buf, 8192) == 0);
	NEED(prmem_disk_zero(disk, 4096, 8192) == 0);
	NEED(prmem_disk_write(disk, buf, 100, 4096 * 5 + 17) == 0);
	prmem_disk_close(disk);
	NEED(prmem_disk_create(pool, &protected, sizeof protected, NULL) == 0);

	NEED(prmem_get(pool, "golden", "things", PRMEM_CREATE, &inst, NULL) == 0);
	NEED(prmem_alloc(pool, 100, &object) == 0);
	fill(object, 100, 2);
	NEED(prmem_set_data(inst, object, 90) == 0);
	NEED(prmem_alloc(pool, 1000, &object) == 0);
	fill(object, 1000, 3);
	put_object(inst, 10, object);
	NEED(prmem_alloc_pages(pool, 0, &object) == 0);
	fill(object, 4096, 4);
	put_object(inst, 11, object);
	NEED(prmem_alloc_pages(pool, RUN_ORDER, &object) == 0);
	fill(object, (size_t)4096 << RUN_ORDER, 5);
	put_object(inst, 12, object);
	NEED(xa_store(prmem_xarray(inst), XA_MAX_INDEX, xa_mk_value(0xfeedf00d)) == 0);
	prmem_put(inst);

	/* One that is not there any more, and a name that changed. */
	NEED(prmem_get(pool, "golden", "gone", PRMEM_CREATE, &inst, NULL) == 0);
	prmem_put(inst);
	NEED(prmem_get(pool, "golden", "before", PRMEM_CREATE, &inst, NULL) == 0);
	NEED(prmem_rename(inst, "after", NULL) == 0);
	prmem_put(inst);
	NEED(prmem_remove(pool, "golden", "gone", NULL) == 0);
	prmem_close(pool);
}

static void
check_disk(struct prmem_pool *pool)
{
	struct prmem_instance_info info;
	struct prmem_disk *disk;
	unsigned char buf[4096], part[100], zeroes[4096] = {0};

	NEED(prmem_disk_open(pool, "pram0", &disk, NULL) == 0);
	NEED(prmem_disk_size(disk) == DISK_BYTES);
	prmem_disk_info(disk, &info, sizeof info);
	NEED(strcmp(info.description, "golden disk") == 0);
	NEED(info.nr_entries == sizeof places / sizeof places[0] + 1);
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		NEED(prmem_disk_read(disk, buf, sizeof buf, places[i]) == 0);
		if (!is_filled(buf, sizeof buf, 20 + i))
			DIE("pram0 is not what it was at %llu", (unsigned long long)places[i]);
	}
	NEED(prmem_disk_read(disk, buf, sizeof buf, 8192) == 0);
	NEED(memcmp(buf, zeroes, sizeof buf) == 0);
	NEED(prmem_disk_read(disk, buf, sizeof buf, UINT64_C(4096) * 5) == 0);
	fill(part, sizeof part, 1);
	NEED(memcmp(buf + 17, part, sizeof part) == 0);
	NEED(memcmp(buf, zeroes, 17) == 0 && memcmp(buf + 117, zeroes, sizeof buf - 117) == 0);
	prmem_disk_close(disk);

	NEED(prmem_disk_open(pool, "empty.2", &disk, NULL) == 0);
	NEED(prmem_disk_size(disk) == 12345 && prmem_disk_is_read_only(disk));
	prmem_disk_info(disk, &info, sizeof info);
	NEED(info.read_only && info.nr_entries == 0);
	prmem_disk_close(disk);
}

static void
check_loan(struct prmem_instance *inst, uint32_t idx, size_t len_bytes, uint64_t what)
{
	struct prmem_loan loan;

	if (prmem_borrow(inst, idx, &loan) < 0)
		DIE("the object at index %u cannot be read", idx);
	NEED(loan.len_bytes == len_bytes);
	NEED(is_filled(loan.addr, len_bytes, what));
	prmem_give_back(inst, &loan);
}

static void
check_things(struct prmem_pool *pool)
{
	struct prmem_instance *inst;
	unsigned char buf[100];
	size_t len_bytes;

	NEED(prmem_get(pool, "golden", "things", 0, &inst, NULL) == 0);
	NEED(prmem_get_data(inst, buf, sizeof buf, &len_bytes) == 0);
	NEED(len_bytes == 90 && is_filled(buf, 90, 2));
	check_loan(inst, 10, 1000, 3);
	check_loan(inst, 11, 4096, 4);
	check_loan(inst, 12, (size_t)4096 << RUN_ORDER, 5);
	NEED(xa_load(prmem_xarray(inst), XA_MAX_INDEX) == xa_mk_value(0xfeedf00d));
	NEED(xa_load(prmem_xarray(inst), 13) == 0);
	prmem_put(inst);
	NEED(prmem_get(pool, "golden", "after", 0, &inst, NULL) == 0);
	prmem_put(inst);
	NEED(prmem_get(pool, "golden", "gone", 0, &inst, NULL) < 0);
	NEED(prmem_get(pool, "golden", "before", 0, &inst, NULL) < 0);
}

static void
check(struct prmem_pool *pool)
{
	struct prmem_pool_info info;

	prmem_pool_info(pool, &info, sizeof info);
	NEED(info.version == 1 && info.size_bytes == POOL_BYTES && info.nr_regions == 1);
	NEED(info.nr_instances == 4 && info.nr_damaged == 0 && info.read_only_why[0] == '\0');
	check_disk(pool);
	check_things(pool);
}

/* A pool of an earlier version is not only read. */
static void
change(struct prmem_pool *pool)
{
	struct prmem_disk *disk;
	char buf[100] = "changed";

	NEED(prmem_disk_open(pool, "pram0", &disk, NULL) == 0);
	NEED(prmem_disk_write(disk, buf, sizeof buf, UINT64_C(2) << 30) == 0);
	NEED(prmem_disk_zero(disk, 4096, UINT64_C(2) << 30) == 0);
	prmem_disk_close(disk);
}

int
main(int argc, char **argv)
{
	struct prmem_pool *pool;
	bool changes;

	if (argc == 3 && strcmp(argv[1], "make") == 0) {
		make(argv[2]);
		return 0;
	}
	changes = argc == 3 && strcmp(argv[1], "change") == 0;
	if (!changes && (argc != 3 || strcmp(argv[1], "check") != 0)) {
		fprintf(stderr, "usage: golden make|check|change POOL\n");
		return 2;
	}
	pool = open_pool(argv[2], 0, !changes);
	check(pool);
	if (changes)
		change(pool);
	check(pool);
	prmem_close(pool);
	return 0;
}
