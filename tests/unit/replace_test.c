/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disks that appear as a whole: hidden until they are finished, and then in
 * the place of another one, in one step, wherever the program is killed.
 */
#include <errno.h>
#include <sys/wait.h>

#include "prmem/core/pool.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE
#define NR_PAGES 20

static void
fill(struct prmem_disk *disk, char c)
{
	char buf[PAGE];

	memset(buf, c, sizeof buf);
	for (uint64_t i = 0; i < NR_PAGES; i++)
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, i * PAGE), 0);
}

/* Return: what the disk is full of. */
static char
content_of(struct prmem_pool *pool, const char *name)
{
	struct prmem_disk *disk;
	char buf[PAGE], c = 0;

	CHECK_EQ(prmem_disk_open(pool, name, &disk, NULL), 0);
	for (uint64_t i = 0; i < NR_PAGES; i++) {
		CHECK_EQ(prmem_disk_read(disk, buf, PAGE, i * PAGE), 0);
		c = i == 0 ? buf[0] : c;
		for (size_t j = 0; j < PAGE; j++)
			CHECK(buf[j] == c);
	}
	prmem_disk_close(disk);
	return c;
}

static struct prmem_disk *
begin(struct temp_pool *t, const char *name, char c)
{
	const struct prmem_disk_args args = {.name = name, .size_bytes = PRMEM_DISK_SIZE_MAX};
	struct prmem_disk *disk;

	CHECK_EQ(prmem_disk_begin(t->pool, &args, sizeof args, &disk, NULL), 0);
	fill(disk, c);
	return disk;
}

struct seen {
	int nr;
	struct prmem_instance_info info;
};

static int
see(void *opaque, const struct prmem_instance_info *info)
{
	struct seen *seen = opaque;

	seen->nr++;
	seen->info = *info;
	return 0;
}

static struct seen
list(struct prmem_pool *pool)
{
	struct seen seen = {0};

	CHECK_EQ(prmem_list(pool, NULL, see, &seen), 0);
	return seen;
}

static void
check_is_clean(struct prmem_pool *pool, uint64_t nr_instances)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;

	CHECK_EQ(prmem_check(pool, &args, sizeof args, &result, sizeof result, NULL), 0);
	CHECK_EQ(result.nr_findings, 0);
	CHECK_EQ(result.nr_leaked, 0);
	CHECK_EQ(result.nr_instances, nr_instances);
}

static void
nobody_sees_it_before_it_is_finished(void)
{
	const struct prmem_disk_args args = {.name = "d", .size_bytes = 1 << 20};
	struct prmem_disk *disk, *other;
	struct prmem_instance *inst;
	struct prmem_error err;
	struct temp_pool t;
	uint64_t before;

	temp_pool_make(&t, 4 << 20);
	before = temp_pool_free_pages(&t);
	disk = begin(&t, "d", 'n');
	CHECK_EQ(list(t.pool).nr, 0);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &other, &err), -ENOENT);
	CHECK_EQ(prmem_get(t.pool, PRMEM_SUBSYSTEM_RAMDISK, "d", 0, &inst, &err), -ENOENT);
	CHECK_EQ(prmem_disk_remove(t.pool, "d", PRMEM_REMOVE_FORCE, NULL, NULL, &err), -ENOENT);
	CHECK_EQ(prmem_disk_resize(t.pool, "d", 1, true, &err), -ENOENT);
	CHECK_EQ(prmem_disk_begin(t.pool, &args, sizeof args, &other, &err), -EBUSY);
	check_is_clean(t.pool, 1);
	/* Closed, it is gone, and so are its pages. */
	prmem_disk_close(disk);
	CHECK_EQ(temp_pool_free_pages(&t), before - 1); /* a node of the directory */
	disk = begin(&t, "d", 'n');
	CHECK_EQ(prmem_disk_finish(disk, NR_PAGES * PAGE - 4096, 0, &err), -EEXIST);
	CHECK_EQ(prmem_disk_finish(disk, 0, 0, &err), -EINVAL);
	CHECK_EQ(list(t.pool).nr, 0);
	CHECK_EQ(prmem_disk_finish(disk, NR_PAGES * PAGE, 0, &err), 0);
	CHECK_EQ(prmem_disk_size(disk), NR_PAGES * PAGE);
	prmem_disk_close(disk);
	CHECK_EQ(list(t.pool).nr, 1);
	CHECK_EQ(content_of(t.pool, "d"), 'n');
	temp_pool_reopen(&t);
	CHECK_EQ(list(t.pool).info.size_bytes, NR_PAGES * PAGE);
	CHECK_EQ(content_of(t.pool, "d"), 'n');
	check_is_clean(t.pool, 1);
	temp_pool_remove(&t);
}

static void
what_is_replaced_hands_on_what_it_was_promised(void)
{
	const bool on = true;
	struct prmem_disk_changes changes = {.reserve = &on, .description = "kept"};
	struct prmem_disk *disk, *old;
	struct prmem_pool_info info;
	struct prmem_error err;
	struct temp_pool t;
	struct seen seen;

	/* So small that not two of them can be reserved. */
	temp_pool_make(&t, 1 << 20);
	old = temp_disk(&t, "d", 120 * PAGE);
	CHECK_EQ(prmem_disk_set(t.pool, "d", &changes, sizeof changes, &err), 0);
	disk = begin(&t, "d", 'n');
	CHECK_EQ(prmem_disk_finish(disk, 120 * PAGE, 0, &err), -EEXIST);
	CHECK_EQ(prmem_disk_finish(disk, 120 * PAGE, PRMEM_FINISH_REPLACE, &err), -EBUSY);
	prmem_disk_close(old);
	CHECK_EQ(prmem_disk_finish(disk, 4000 * PAGE, PRMEM_FINISH_REPLACE, &err), -ENOSPC);
	CHECK(strstr(err.message, "cannot reserve") != NULL);
	CHECK_EQ(content_of(t.pool, "d"), 0);
	CHECK_EQ(prmem_disk_finish(disk, 120 * PAGE, PRMEM_FINISH_REPLACE, &err), 0);
	prmem_disk_close(disk);
	for (int i = 0; i < 2; i++) {
		seen = list(t.pool);
		CHECK_EQ(seen.nr, 1);
		CHECK_STR(seen.info.description, "kept");
		CHECK(seen.info.reserved);
		CHECK_EQ(seen.info.nr_promised, 121 - NR_PAGES - seen.info.nr_nodes);
		prmem_pool_info(t.pool, &info, sizeof info);
		CHECK_EQ(info.nr_reserved, seen.info.nr_promised);
		CHECK_EQ(content_of(t.pool, "d"), 'n');
		check_is_clean(t.pool, 1);
		temp_pool_reopen(&t);
	}
	changes = (struct prmem_disk_changes){.read_only = &on};
	CHECK_EQ(prmem_disk_set(t.pool, "d", &changes, sizeof changes, &err), 0);
	disk = begin(&t, "d", 'm');
	CHECK_EQ(prmem_disk_finish(disk, 120 * PAGE, PRMEM_FINISH_REPLACE, &err), -EPERM);
	prmem_disk_close(disk);
	CHECK_EQ(content_of(t.pool, "d"), 'n');
	temp_pool_remove(&t);
}

/* The only disk is promised what it can need, without its nodes: as counted all the time, and as counted anew. */
static void
check_promise(struct temp_pool *t, uint64_t nr_with_nodes)
{
	for (int i = 0; i < 2; i++) {
		struct seen seen = list(t->pool);
		struct prmem_pool_info info;

		CHECK_EQ(seen.nr, 1);
		CHECK(seen.info.reserved);
		CHECK_EQ(seen.info.nr_promised, nr_with_nodes - seen.info.nr_nodes);
		prmem_pool_info(t->pool, &info, sizeof info);
		CHECK_EQ(info.nr_reserved, seen.info.nr_promised);
		check_is_clean(t->pool, 1);
		temp_pool_reopen(t);
	}
}

static void
one_with_a_reservation_of_its_own_keeps_no_more_than_it_needs(void)
{
	const struct prmem_disk_args old = {.name = "d", .size_bytes = 40 * PAGE, .reserve = true};
	const struct prmem_disk_args args = {.name = "d", .size_bytes = 80 * PAGE, .reserve = true};
	struct prmem_disk *disk;
	struct temp_pool t;

	temp_pool_make(&t, 1 << 20);
	CHECK_EQ(prmem_disk_create(t.pool, &old, sizeof old, NULL), 0);
	CHECK_EQ(prmem_disk_begin(t.pool, &args, sizeof args, &disk, NULL), 0);
	fill(disk, 'n');
	CHECK_EQ(prmem_disk_finish(disk, 60 * PAGE, PRMEM_FINISH_REPLACE, NULL), 0);
	prmem_disk_close(disk);
	check_promise(&t, 61 - NR_PAGES);
	temp_pool_remove(&t);
}

/* Pages that were written far behind its end and emptied leave nodes, which are no use to the pages that it has. */
static void
one_that_is_cut_off_has_room_for_all_that_is_left(void)
{
	const struct prmem_disk_args args = {.name = "d", .size_bytes = PRMEM_DISK_SIZE_MAX};
	const bool on = true;
	const struct prmem_disk_changes changes = {.reserve = &on};
	static const char zeroes[PAGE], ones[PAGE] = {1};
	struct prmem_disk *disk, *other;
	struct temp_pool t;
	int r = 0;

	temp_pool_make(&t, 1 << 20);
	CHECK_EQ(prmem_disk_begin(t.pool, &args, sizeof args, &disk, NULL), 0);
	CHECK_EQ(prmem_disk_write(disk, ones, PAGE, 0), 0);
	for (uint64_t off = (uint64_t)PAGE << 10; off <= (uint64_t)PAGE << 30; off <<= 10) {
		CHECK_EQ(prmem_disk_write(disk, ones, PAGE, off), 0);
		CHECK_EQ(prmem_disk_write(disk, zeroes, PAGE, off), 0);
	}
	CHECK_EQ(prmem_disk_finish(disk, 3 * PAGE, 0, NULL), 0);
	prmem_disk_close(disk);
	CHECK_EQ(prmem_disk_set(t.pool, "d", &changes, sizeof changes, NULL), 0);
	/* Two pages; it is four levels high. */
	check_promise(&t, 2 + 4);
	CHECK_EQ(prmem_disk_open(t.pool, "d", &disk, NULL), 0);
	other = temp_disk(&t, "other", 1 << 20);
	for (uint64_t i = 0; r == 0 && i < 256; i++)
		r = prmem_disk_write(other, ones, PAGE, i * PAGE);
	CHECK_EQ(r, -ENOSPC);
	for (uint64_t i = 0; i < 3; i++)
		CHECK_EQ(prmem_disk_write(disk, ones, PAGE, i * PAGE), 0);
	check_is_clean(t.pool, 2);
	prmem_disk_close(other);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* ---- killed in the middle ---- */

static const struct pm_ops *real_ops;
static int steps_left;

static void
step(void)
{
	if (--steps_left == 0)
		_exit(42);
}

static void
killing_copy(struct pm *pm, void *dst, const void *src, size_t len_bytes, enum pm_site site)
{
	step();
	/* Half of it, too: what was not finished is never looked at. */
	real_ops->copy(pm, dst, src, len_bytes / 2, site);
	step();
	real_ops->copy(pm, dst, src, len_bytes, site);
}

static void
killing_store(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	step();
	real_ops->store(pm, slot, le, site);
	step();
}

static uint64_t
killing_exchange(struct pm *pm, pm_slot *slot, uint64_t le, enum pm_site site)
{
	uint64_t old;

	step();
	old = real_ops->exchange(pm, slot, le, site);
	step();
	return old;
}

static void
finish_and_die(struct temp_pool *t, int steps)
{
	struct prmem_disk *disk;
	struct pm_ops ops;

	temp_pool_open(t);
	disk = begin(t, "d", 'n');
	real_ops = t->pool->pm->ops;
	ops = *real_ops;
	ops.copy = killing_copy;
	ops.store = killing_store;
	ops.exchange = killing_exchange;
	t->pool->pm->ops = &ops;
	steps_left = steps;
	CHECK_EQ(prmem_disk_finish(disk, (NR_PAGES + 1) * PAGE, PRMEM_FINISH_REPLACE, NULL), 0);
	_exit(0);
}

/* Return: was it killed, not done? */
static bool
kill_it(struct temp_pool *t, int steps)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		finish_and_die(t, steps);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0));
	return WEXITSTATUS(status) == 42;
}

/* Return: is it the new one? */
static bool
judge(struct prmem_pool *pool)
{
	struct seen seen = list(pool);
	char c = content_of(pool, "d");

	CHECK_EQ(seen.nr, 1);
	CHECK_STR(seen.info.name, "d");
	CHECK_STR(seen.info.description, "kept");
	CHECK(c == 'o' || c == 'n');
	CHECK_EQ(seen.info.size_bytes, (c == 'n' ? NR_PAGES + 1 : NR_PAGES) * PAGE);
	return c == 'n';
}

/* Before and after the program's end nobody else has changed the pool: what is left behind is there for the next. */
static void
killed_anywhere_it_is_the_old_or_the_new_one(void)
{
	const struct prmem_disk_changes changes = {.description = "kept"};
	bool killed = true, was_old = false, was_new = false;

	for (int numbers = 0; numbers < 2; numbers++) {
		for (int steps = 1; killed || steps == 1; steps++) {
			struct prmem_open_args args = {.read_only = true};
			struct prmem_pool *pool;
			struct prmem_disk *disk;
			struct temp_pool t;
			uint64_t nr_free;
			bool is_new;

			temp_pool_make(&t, 1 << 20);
			/* The old one is met before the new one, or behind it. */
			if (numbers == 1)
				prmem_disk_close(temp_disk(&t, "first", 1));
			disk = temp_disk(&t, "d", NR_PAGES * PAGE);
			fill(disk, 'o');
			prmem_disk_close(disk);
			if (numbers == 1)
				CHECK_EQ(prmem_disk_remove(t.pool, "first", 0, NULL, NULL, NULL), 0);
			CHECK_EQ(prmem_disk_set(t.pool, "d", &changes, sizeof changes, NULL), 0);
			nr_free = temp_pool_free_pages(&t);
			prmem_close(t.pool);
			killed = kill_it(&t, steps);
			/* Who only reads sees one of them, and changes nothing. */
			args.path = t.path;
			CHECK_EQ(prmem_open(&args, sizeof args, &pool, NULL), 0);
			is_new = judge(pool);
			prmem_close(pool);
			temp_pool_open(&t);
			CHECK_EQ(judge(t.pool), is_new);
			check_is_clean(t.pool, 1);
			CHECK_EQ(temp_pool_free_pages(&t), nr_free);
			was_old = was_old || !is_new;
			was_new = was_new || (is_new && killed);
			temp_pool_reopen(&t);
			CHECK_EQ(judge(t.pool), is_new);
			check_is_clean(t.pool, 1);
			temp_pool_remove(&t);
		}
	}
	CHECK(was_old && was_new);
}

UNIT_MAIN(CASE(nobody_sees_it_before_it_is_finished), CASE(what_is_replaced_hands_on_what_it_was_promised),
	  CASE(one_with_a_reservation_of_its_own_keeps_no_more_than_it_needs),
	  CASE(one_that_is_cut_off_has_room_for_all_that_is_left), CASE(killed_anywhere_it_is_the_old_or_the_new_one))
