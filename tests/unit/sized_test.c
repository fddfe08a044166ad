/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs and libraries of different ages: structs that say their size.  An
 * older program has a shorter struct than this library, a newer one a longer.
 */
#include <sys/stat.h>

#include "tests/unit/temp_pool.h"

#define JUNK 0xa5
#define MORE 48 /* bytes by which a later version's struct is longer */
#define ROOM 4096

static unsigned char room[ROOM];

static bool
all(const unsigned char *p, size_t nr, unsigned char c)
{
	for (size_t i = 0; i < nr; i++) {
		if (p[i] != c)
			return false;
	}
	return true;
}

/* ---- structs that the library fills ---- */

/*
 * Call for a struct of a program that is as old as this library, an older one
 * and a newer one: what it has is the same, and no byte beyond it changes.
 */
#define CHECK_FILLED(type, call)                                                                                       \
	do {                                                                                                           \
		static const size_t sizes[] = {0,                                                                      \
					       1,                                                                      \
					       8,                                                                      \
					       sizeof(type) / 2,                                                       \
					       sizeof(type) - 1,                                                       \
					       sizeof(type),                                                           \
					       sizeof(type) + 1,                                                       \
					       sizeof(type) + MORE};                                                   \
		unsigned char whole[sizeof(type)];                                                                     \
                                                                                                                       \
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {                                          \
			type *ret = (type *)(void *)room;                                                              \
			size_t bytes = sizeof(type);                                                                   \
                                                                                                                       \
			call;                                                                                          \
			memcpy(whole, room, sizeof whole);                                                             \
			CHECK(!all(whole, sizeof whole, 0));                                                           \
			bytes = sizes[i];                                                                              \
			memset(room, JUNK, sizeof room);                                                               \
			call;                                                                                          \
			CHECK(memcmp(room, whole, bytes < sizeof whole ? bytes : sizeof whole) == 0);                  \
			if (bytes > sizeof whole)                                                                      \
				CHECK(all(room + sizeof whole, bytes - sizeof whole, 0));                              \
			CHECK(all(room + bytes, sizeof room - bytes, JUNK));                                           \
		}                                                                                                      \
	} while (0)

static void
what_the_library_fills_is_as_long_as_the_caller_says(void)
{
	struct prmem_instance *inst;
	struct prmem_disk *disk;
	struct temp_pool t;
	char buf[PRMEM_PAGE_SIZE] = "content";

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	disk = temp_disk(&t, "d", 1 << 20);
	CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, 0), 0);
	CHECK_EQ(prmem_get(t.pool, "test", "i", PRMEM_CREATE, &inst, NULL), 0);
	CHECK_FILLED(struct prmem_pool_info, prmem_pool_info(t.pool, ret, bytes));
	CHECK_FILLED(struct prmem_probe_info, CHECK_EQ(prmem_probe(t.path, ret, bytes, NULL), 0));
	CHECK_FILLED(struct prmem_region_info, CHECK_EQ(prmem_region_info(t.pool, 0, ret, bytes), 0));
	CHECK_FILLED(struct prmem_check_result, CHECK_EQ(prmem_check(t.pool, NULL, 0, ret, bytes, NULL), 0));
	CHECK_FILLED(struct prmem_stats, CHECK_EQ(prmem_disk_stats(t.pool, "d", ret, bytes), 0));
	CHECK_FILLED(struct prmem_stats, prmem_pool_stats(t.pool, ret, bytes));
	CHECK_FILLED(struct prmem_instance_info, prmem_instance_info(inst, ret, bytes));
	CHECK_FILLED(struct prmem_instance_info, prmem_disk_info(disk, ret, bytes));
	prmem_put(inst);
	prmem_disk_close(disk);
	CHECK_FILLED(struct prmem_check_result, CHECK_EQ(prmem_repair(t.pool, NULL, 0, ret, bytes, NULL), 0));
	temp_pool_remove(&t);
}

static void
what_a_call_that_fails_would_have_filled_stays_as_it_was(void)
{
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	memset(room, JUNK, sizeof room);
	CHECK_EQ(prmem_probe("/nowhere", (void *)room, ROOM, NULL), -ENOENT);
	CHECK_EQ(prmem_region_info(t.pool, 7, (void *)room, ROOM), -ENOENT);
	CHECK_EQ(prmem_disk_stats(t.pool, "none", (void *)room, ROOM), -ENOENT);
	CHECK_EQ(prmem_check(t.pool, &(struct prmem_check_args){.disk = "none"}, sizeof(struct prmem_check_args),
			     (void *)room, ROOM, NULL),
		 -ENOENT);
	CHECK(all(room, sizeof room, JUNK));
	temp_pool_remove(&t);
}

/* ---- structs that the caller fills ---- */

/* A struct as a later version has it: @set says whether its new field is used. */
static void *
later(const void *now, size_t now_bytes, bool set)
{
	memset(room, 0, sizeof room);
	memcpy(room, now, now_bytes);
	room[now_bytes + MORE - 1] = set;
	return room;
}

/* As an older one has it: without the fields from @bytes on. */
static void *
older(const void *now, size_t bytes)
{
	memset(room, JUNK, sizeof room);
	memcpy(room, now, bytes);
	return room;
}

/*
 * Every call that takes such a struct: with a size that is that of a pointer,
 * with a field that is not known, and with one that is known by its size only.
 */
#define CHECK_TAKEN(args, result, call)                                                                                \
	do {                                                                                                           \
		struct prmem_error err = {0};                                                                          \
		void *from = later(&(args), sizeof(args), true);                                                       \
		size_t bytes = sizeof(args) + MORE;                                                                    \
                                                                                                                       \
		CHECK_EQ(call, -E2BIG);                                                                                \
		CHECK(err.code == -E2BIG && strstr(err.message, "does not know") != NULL);                             \
		bytes = sizeof(void *);                                                                                \
		CHECK_EQ(call, -EINVAL);                                                                               \
		CHECK(strstr(err.message, "no more than a pointer") != NULL);                                          \
		from = later(&(args), sizeof(args), false);                                                            \
		bytes = sizeof(args) + MORE;                                                                           \
		CHECK_EQ(call, result);                                                                                \
	} while (0)

static void
a_field_that_is_not_known_is_refused_unless_it_asks_for_nothing(void)
{
	struct prmem_disk_args disk_args = {.name = "d", .size_bytes = 1 << 20};
	struct prmem_disk_args begin_args = {.name = "b", .size_bytes = 1 << 20};
	struct prmem_disk_changes changes = {.description = "changed"};
	struct prmem_check_args check_args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_region_args region_args = {.region_size_bytes = 1 << 20};
	struct prmem_open_args open_args;
	struct prmem_check_result result;
	struct prmem_pool_info info;
	struct prmem_disk *disk;
	struct temp_pool t;
	char second[96];

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	CHECK_TAKEN(disk_args, 0, prmem_disk_create(t.pool, from, bytes, &err));
	CHECK_TAKEN(begin_args, 0, prmem_disk_begin(t.pool, from, bytes, &disk, &err));
	prmem_disk_close(disk);
	CHECK_TAKEN(changes, 0, prmem_disk_set(t.pool, "d", from, bytes, &err));
	CHECK_TAKEN(check_args, 0, prmem_check(t.pool, from, bytes, &result, sizeof result, &err));
	snprintf(second, sizeof second, "%s/second", t.dir);
	region_args.path = second;
	CHECK_TAKEN(region_args, 0, prmem_add_region(t.pool, from, bytes, &err));
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK_EQ(info.nr_regions, 2);
	prmem_close(t.pool);

	/* What is refused makes no file. */
	unlink(t.path);
	unlink(second);
	open_args = (struct prmem_open_args){.path = t.path, .pool_size_bytes = t.size_bytes};
	{
		struct prmem_pool *pool;

		CHECK_EQ(prmem_open(later(&open_args, sizeof open_args, true), sizeof open_args + MORE, &pool, NULL),
			 -E2BIG);
		CHECK(access(t.path, F_OK) < 0);
	}
	CHECK_TAKEN(open_args, 0, prmem_open(from, bytes, &t.pool, &err));
	CHECK_TAKEN(check_args, 0, prmem_repair(t.pool, from, bytes, &result, sizeof result, &err));
	temp_pool_remove(&t);
}

/* The oldest struct there may be ends after what cannot be left out; junk is what the program has beyond it. */
static void
what_an_older_struct_does_not_have_counts_as_zero(void)
{
	struct prmem_open_args open_args = {.pool_size_bytes = PRMEM_POOL_SIZE_MIN, .label = "not seen"};
	struct prmem_disk_args disk_args = {.name = "d", .size_bytes = 1 << 20, .read_only = true};
	const bool yes = true;
	struct prmem_disk_changes changes = {.read_only = &yes, .reserve = &yes, .description = "not seen"};
	struct prmem_check_args check_args = {.flags = PRMEM_CHECK_SCRUB, .disk = "d"};
	struct prmem_check_result result;
	struct prmem_instance_info info;
	struct prmem_pool_info pool_info;
	struct prmem_disk *disk;
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	temp_pool_remove(&t);
	CHECK_EQ(mkdir(t.dir, 0700), 0);
	open_args.path = t.path;
	CHECK_EQ(prmem_open(older(&open_args, offsetof(struct prmem_open_args, label)),
			    offsetof(struct prmem_open_args, label), &t.pool, NULL),
		 0);
	prmem_pool_info(t.pool, &pool_info, sizeof pool_info);
	CHECK_STR(pool_info.label, "");
	CHECK_EQ(prmem_disk_create(t.pool, older(&disk_args, offsetof(struct prmem_disk_args, read_only)),
				   offsetof(struct prmem_disk_args, read_only), NULL),
		 0);
	CHECK_EQ(prmem_disk_set(t.pool, "d", older(&changes, offsetof(struct prmem_disk_changes, description)),
				offsetof(struct prmem_disk_changes, description), NULL),
		 -ENOSPC); /* it can see the reservation, of more than the pool has */
	changes.reserve = NULL;
	CHECK_EQ(prmem_disk_set(t.pool, "d", older(&changes, offsetof(struct prmem_disk_changes, description)),
				offsetof(struct prmem_disk_changes, description), NULL),
		 0);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &disk, NULL), 0);
	prmem_disk_info(disk, &info, sizeof info);
	CHECK(info.read_only && info.description[0] == '\0');
	prmem_disk_close(disk);
	CHECK_EQ(prmem_check(t.pool, older(&check_args, offsetof(struct prmem_check_args, max_bytes_per_s)),
			     offsetof(struct prmem_check_args, max_bytes_per_s), &result, sizeof result, NULL),
		 0);
	CHECK_EQ(result.nr_instances, 1);
	temp_pool_remove(&t);
}

/* ---- what callbacks are handed ---- */

static int
listed(void *opaque, const struct prmem_instance_info *info)
{
	const unsigned char *bytes = (const unsigned char *)info;

	CHECK(all(bytes + sizeof *info, PRMEM_CALLBACK_BYTES - sizeof *info, 0));
	CHECK_STR(info->name, "d");
	++*(int *)opaque;
	return 0;
}

static void
found(void *opaque, const struct prmem_finding *finding)
{
	const unsigned char *bytes = (const unsigned char *)finding;

	CHECK(all(bytes + sizeof *finding, PRMEM_CALLBACK_BYTES - sizeof *finding, 0));
	CHECK_STR(finding->name, "d");
	++*(int *)opaque;
}

static void
what_a_callback_is_handed_goes_on_as_zeroes(void)
{
	int nr = 0;
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB, .report = found, .opaque = &nr};
	struct prmem_check_result result;
	struct prmem_instance *inst;
	struct prmem_disk *disk;
	struct temp_pool t;
	char buf[PRMEM_PAGE_SIZE] = "content";

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	disk = temp_disk(&t, "d", 1 << 20);
	CHECK_EQ(prmem_list(t.pool, NULL, listed, &nr), 0);
	CHECK_EQ(nr, 1);
	CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, 0), 0);
	prmem_disk_close(disk);
	/* Damage. */
	CHECK_EQ(prmem_get(t.pool, PRMEM_SUBSYSTEM_RAMDISK, "d", 0, &inst, NULL), 0);
	{
		struct prmem_loan loan;

		CHECK_EQ(prmem_borrow(inst, 0, &loan), 0);
		*(char *)(uintptr_t)loan.addr ^= 1;
		prmem_give_back(inst, &loan);
	}
	prmem_put(inst);
	CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, NULL), 0);
	CHECK_EQ(result.nr_findings, 1);
	CHECK_EQ(nr, 2);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(what_the_library_fills_is_as_long_as_the_caller_says),
	  CASE(what_a_call_that_fails_would_have_filled_stays_as_it_was),
	  CASE(a_field_that_is_not_known_is_refused_unless_it_asks_for_nothing),
	  CASE(what_an_older_struct_does_not_have_counts_as_zero), CASE(what_a_callback_is_handed_goes_on_as_zeroes))
