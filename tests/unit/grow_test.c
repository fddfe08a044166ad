/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Growing: by a longer file and by further files, in use.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "prmem/memory/region_file.h"
#include "prmem/memory/superblock.h"
#include "prmem/pool/regions.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE

static uint64_t
file_size(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

static void
pattern(char *buf, uint64_t n)
{
	for (size_t i = 0; i < PAGE; i += 8)
		memcpy(buf + i, &(uint64_t){mix64(n + i) | 1}, 8);
}

/* Write pages from *at on until the pool is full. */
static void
fill_up(struct prmem_disk *disk, uint64_t *at)
{
	char buf[PAGE];
	int r;

	do {
		pattern(buf, *at);
		r = prmem_disk_write(disk, buf, PAGE, *at * PAGE);
		*at += r == 0;
	} while (r == 0);
	CHECK_EQ(r, -ENOSPC);
}

static void
verify(struct prmem_disk *disk, uint64_t nr)
{
	char buf[PAGE], want[PAGE];

	for (uint64_t i = 0; i < nr; i++) {
		pattern(want, i);
		CHECK_EQ(prmem_disk_read(disk, buf, PAGE, i * PAGE), 0);
		CHECK(memcmp(buf, want, PAGE) == 0);
	}
}

static void
check_is_clean(struct temp_pool *t)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;

	CHECK_EQ(prmem_check(t->pool, &args, sizeof args, &result, sizeof result, NULL), 0);
	CHECK_EQ(result.nr_findings, 0);
	CHECK_EQ(result.nr_leaked, 0);
}

static void
a_full_pool_goes_on_after_it_grew(void)
{
	struct prmem_pool_info info;
	struct prmem_disk *disk;
	struct prmem_error err;
	struct temp_pool t;
	uint64_t at = 0, before;

	temp_pool_make(&t, (1 << 20) + 5 * PAGE); /* ends inside a unit of the allocator */
	disk = temp_disk(&t, "d", 64 << 20);
	fill_up(disk, &at);
	CHECK_EQ(prmem_grow(t.pool, 1 << 20, &err), -EINVAL);
	CHECK_EQ(prmem_grow(t.pool, PRMEM_POOL_SIZE_MAX, &err), -EINVAL);
	for (uint64_t size = 2; size <= 12; size += size) {
		before = at;
		CHECK_EQ(prmem_grow(t.pool, (size << 20) + 3 * PAGE + 77, &err), 0);
		CHECK_EQ(prmem_grow(t.pool, (size << 20) + 3 * PAGE, &err), 0);
		CHECK_EQ(file_size(t.path), (size << 20) + 3 * PAGE);
		prmem_pool_info(t.pool, &info, sizeof info);
		CHECK_EQ(info.size_bytes, (size << 20) + 3 * PAGE);
		CHECK_EQ(info.nr_regions, 1);
		fill_up(disk, &at);
		CHECK(at > before + 200);
		verify(disk, at);
		check_is_clean(&t);
	}
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	disk = temp_disk(&t, "d", 1);
	verify(disk, at);
	check_is_clean(&t);
	CHECK_EQ(prmem_disk_zero(disk, 64 << 20, 0), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static uint64_t
room_in(struct temp_pool *t)
{
	struct prmem_disk *disk = temp_disk(t, "d", 64 << 20);
	uint64_t at = 0;

	fill_up(disk, &at);
	prmem_disk_close(disk);
	return at;
}

static void
a_grown_pool_has_as_much_room_as_a_new_one(void)
{
	/* Ends before, at and behind units and groups of the allocator. */
	static const uint64_t sizes[] = {69, 100, 127, 128, 129, 200, 300, 511, 512, 513, 700, 1100};
	struct prmem_error err;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t j = i + 1; j < sizeof sizes / sizeof sizes[0]; j += 3) {
			struct temp_pool grown, made;
			uint64_t room, want;

			temp_pool_make(&grown, sizes[i] * PAGE);
			temp_pool_make(&made, sizes[j] * PAGE);
			prmem_disk_close(temp_disk(&grown, "e", 1 << 20));
			CHECK_EQ(prmem_grow(grown.pool, sizes[j] * PAGE, &err), 0);
			check_is_clean(&grown);
			room = room_in(&grown);
			want = room_in(&made);
			/* A gap, another record, and what is kept back in larger pools. */
			CHECK(room <= want + 20 && room + 3 >= want);
			check_is_clean(&grown);
			temp_pool_remove(&grown);
			temp_pool_remove(&made);
		}
	}
}

static void
a_run_never_spans_what_was_mapped_apart(void)
{
	struct prmem_error err;
	struct temp_pool t;
	void *run;

	temp_pool_make(&t, 1 << 20);
	for (unsigned int i = 0; i < 6; i++)
		CHECK_EQ(prmem_grow(t.pool, (1 << 20) + (i + 1) * 10 * PAGE, &err), 0);
	for (unsigned int order = 0; order < 8; order++) {
		while (prmem_alloc_pages(t.pool, order, &run) == 0)
			memset(run, 1, PAGE << order);
	}
	temp_pool_remove(&t);
}

static void
an_interrupted_growth_is_taken_back_or_done(void)
{
	struct prmem_open_args args = {.pool_size_bytes = 0};
	struct prmem_pool_info info;
	struct prmem_error err;
	struct temp_pool t;

	temp_pool_make(&t, 1 << 20);
	args.path = t.path;
	for (unsigned int longer = 0; longer < 3; longer++) {
		/* As a crash leaves it: an aim, and a file that is as long as before, in between, or of full length. */
		struct sb_media sb = t.pool->sb;

		sb.grow_to_pages = cpu_to_le64(512);
		CHECK_EQ(sb_write(t.pool->pm, &sb), 0);
		t.pool->sb = sb;
		prmem_close(t.pool);
		CHECK_EQ(truncate(t.path, (1 << 20) + (1 << 19) * (int)longer), 0);
		/* Who only reads does not mind. */
		args.read_only = true;
		CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), 0);
		prmem_close(t.pool);
		temp_pool_open(&t);
		CHECK_EQ(file_size(t.path), 1 << 20);
		prmem_pool_info(t.pool, &info, sizeof info);
		CHECK_EQ(info.size_bytes, 1 << 20);
		CHECK_EQ(le64_to_cpu(t.pool->sb.grow_to_pages), 0);
		check_is_clean(&t);
	}
	temp_pool_remove(&t);
}

static void
make_region_path(struct temp_pool *t, char path[120])
{
	snprintf(path, 120, "%s/region", t->dir);
}

static void
a_region_is_part_of_the_pool_for_good(void)
{
	struct prmem_region_args region = {.region_size_bytes = 2 << 20};
	struct prmem_open_args args = {.read_only = false};
	struct prmem_region_info ri;
	struct prmem_pool_info info;
	struct prmem_disk *disk, *early;
	struct prmem_error err;
	struct temp_pool t;
	char path[120], away[128], buf[PAGE], want[PAGE];
	const char *const others[] = {away, NULL};
	uint64_t at = 0, before;
	FILE *f;

	temp_pool_make(&t, 1 << 20);
	make_region_path(&t, path);
	region.path = path;
	early = temp_disk(&t, "early", 1 << 20);
	pattern(want, 1);
	CHECK_EQ(prmem_disk_write(early, want, PAGE, 0), 0);
	prmem_disk_close(early);
	disk = temp_disk(&t, "d", 64 << 20);
	fill_up(disk, &at);
	before = at;
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), 0);
	CHECK_EQ(prmem_grow(t.pool, 8 << 20, &err), -EOPNOTSUPP);
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK_EQ(info.nr_regions, 2);
	CHECK_EQ(info.size_bytes, 3 << 20);
	CHECK_EQ(prmem_region_info(t.pool, 1, &ri, sizeof ri), 0);
	CHECK_STR(ri.path, path);
	CHECK_EQ(ri.start_page, 256);
	CHECK_EQ(prmem_region_info(t.pool, 2, &ri, sizeof ri), -ENOENT);
	fill_up(disk, &at);
	CHECK(at > before + 400);
	verify(disk, at);
	check_is_clean(&t);
	prmem_disk_close(disk);
	temp_pool_reopen(&t);
	disk = temp_disk(&t, "d", 1);
	verify(disk, at);
	check_is_clean(&t);
	prmem_disk_close(disk);
	prmem_close(t.pool);

	/* Gone: named and refused; with read_only what is whole can be read. */
	snprintf(away, sizeof away, "%s.away", path);
	CHECK_EQ(rename(path, away), 0);
	args.path = t.path;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), -ENXIO);
	CHECK(strstr(err.message, path) != NULL);
	args.read_only = true;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), -ENXIO);
	args.degraded = true;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), 0);
	CHECK_EQ(prmem_region_info(t.pool, 1, &ri, sizeof ri), 0);
	CHECK(ri.is_missing);
	CHECK_EQ(prmem_disk_open(t.pool, "early", &early, &err), 0);
	CHECK_EQ(prmem_disk_read(early, buf, PAGE, 0), 0);
	CHECK(memcmp(buf, want, PAGE) == 0);
	CHECK_EQ(prmem_disk_write(early, want, PAGE, 0), -EROFS);
	prmem_disk_close(early);
	/* The other one has its record, or pages, in what is missing. */
	if (prmem_disk_open(t.pool, "d", &disk, &err) == 0) {
		CHECK_EQ(prmem_disk_read(disk, buf, PAGE, (at - 1) * PAGE), -EIO);
		prmem_disk_close(disk);
	}
	prmem_close(t.pool);

	/* Elsewhere: found where it is said to be; also when something else is where it was. */
	f = fopen(path, "w");
	CHECK(f != NULL);
	fclose(f);
	args.region_paths = others;
	args.degraded = false;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), 0);
	disk = temp_disk(&t, "d", 1);
	verify(disk, at);
	prmem_disk_close(disk);
	prmem_close(t.pool);
	args.region_paths = NULL;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), -ENXIO);
	args.region_paths = others;
	args.read_only = false;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), 0);
	prmem_close(t.pool);
	/* And once it was written there, for good. */
	args.region_paths = NULL;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, &err), 0);
	disk = temp_disk(&t, "d", 1);
	verify(disk, at);
	prmem_disk_close(disk);
	unlink(path);
	unlink(away);
	temp_pool_remove(&t);
}

static void
a_region_that_holds_something_is_refused(void)
{
	struct prmem_region_args region = {.region_size_bytes = 1 << 20};
	struct temp_pool t, other;
	struct prmem_error err;
	char path[120];
	FILE *f;

	temp_pool_make(&t, 1 << 20);
	temp_pool_make(&other, 1 << 20);
	make_region_path(&t, path);
	region.path = path;
	f = fopen(path, "w");
	CHECK(f != NULL);
	CHECK_EQ(ftruncate(fileno(f), 1 << 20), 0);
	fseek(f, 500000, SEEK_SET);
	fputs("letters", f);
	fclose(f);
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EMEDIUMTYPE);
	region.path = other.path;
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EBUSY);
	region.path = t.path;
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EEXIST);
	region.path = "/nonexistent/file";
	CHECK(prmem_add_region(t.pool, &region, sizeof region, &err) < 0);
	region.path = path;
	region.force = true;
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), 0);
	check_is_clean(&t);
	prmem_close(t.pool);
	/* Another pool does not take it. */
	t.pool = NULL;
	region.force = false;
	CHECK_EQ(prmem_add_region(other.pool, &region, sizeof region, &err), -EMEDIUMTYPE);
	CHECK(strstr(err.message, "belongs to another pool") != NULL);
	/* Nor the pool itself, but by force. */
	unlink(path);
	region.path = t.path;
	CHECK_EQ(prmem_add_region(other.pool, &region, sizeof region, &err), -EMEDIUMTYPE);
	CHECK(strstr(err.message, "there is a pool on it") != NULL);
	region.force = true;
	CHECK_EQ(prmem_add_region(other.pool, &region, sizeof region, &err), 0);
	temp_pool_reopen(&other);
	check_is_clean(&other);
	temp_pool_remove(&other);
	unlink(t.path);
	rmdir(t.dir);
}

/* As what this machine has is all of one kind, and small, the pool's idea of itself is changed. */
static void
a_region_of_another_kind_or_one_too_many_is_refused(void)
{
	struct prmem_region_args region = {.region_size_bytes = 1 << 20};
	struct temp_pool t;
	struct prmem_error err;
	uint64_t nr_pages;
	char path[120];
	struct stat st;
	FILE *f;

	temp_pool_make(&t, 1 << 20);
	make_region_path(&t, path);
	region.path = path;
	for (int made = 0; made < 2; made++) {
		t.pool->pm->is_pmem = !t.pool->pm->is_pmem;
		CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EINVAL);
		CHECK(strstr(err.message, t.pool->pm->is_pmem
						  ? "no persistent memory, and the pool is: add"
						  : "is persistent memory, and the pool is not: add") != NULL);
		t.pool->pm->is_pmem = !t.pool->pm->is_pmem;

		nr_pages = t.pool->nr_pages;
		t.pool->nr_pages = UINT32_MAX - 255;
		CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -ENOSPC);
		CHECK(strstr(err.message, "less than 16 TiB") != NULL);
		CHECK_EQ(prmem_grow(t.pool, UINT64_C(16) << 40, &err), -EINVAL);
		CHECK(strstr(err.message, "less than 16 TiB") != NULL);
		t.pool->nr_pages = nr_pages;

		/* What was to be made is gone again, what was there is as it was. */
		CHECK_EQ(stat(path, &st), made ? 0 : -1);
		if (made) {
			CHECK_EQ(st.st_size, 1 << 20);
			CHECK_EQ(st.st_blocks, 0);
			break;
		}
		f = fopen(path, "w");
		CHECK(f != NULL);
		fclose(f);
		/* An empty file gets a size, and is empty again. */
		t.pool->pm->is_pmem = !t.pool->pm->is_pmem;
		CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EINVAL);
		t.pool->pm->is_pmem = !t.pool->pm->is_pmem;
		CHECK_EQ(stat(path, &st), 0);
		CHECK_EQ(st.st_size, 0);
		CHECK_EQ(truncate(path, 1 << 20), 0);
		region.region_size_bytes = 0;
	}
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), 0);
	check_is_clean(&t);
	temp_pool_reopen(&t);
	check_is_clean(&t);
	unlink(path);
	temp_pool_remove(&t);
}

static void
copy_file(const char *from, const char *to)
{
	char command[300];

	snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
	CHECK_EQ(system(command), 0);
}

static void
what_is_a_part_of_the_pool_is_not_added_again(void)
{
	struct prmem_region_args region = {.region_size_bytes = 1 << 20};
	char path[120], copy[130];
	struct region_media header;
	struct temp_pool t;
	struct prmem_error err;
	struct prmem_disk *disk;
	uint64_t at = 0;
	FILE *f;

	temp_pool_make(&t, 1 << 20);
	make_region_path(&t, path);
	snprintf(copy, sizeof copy, "%s.copy", path);
	region.path = path;
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), 0);
	disk = temp_disk(&t, "d", 64 << 20);
	fill_up(disk, &at);
	prmem_disk_close(disk);
	region.path = copy;
	region.region_size_bytes = 0;
	for (int force = 0; force < 2; force++) {
		region.force = force != 0;
		copy_file(path, copy);
		CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EEXIST);
		CHECK(strstr(err.message, "is region 1 of this pool already") != NULL);
		copy_file(t.path, copy);
		CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EEXIST);
		CHECK(strstr(err.message, "is this pool itself, or a copy") != NULL);
	}
	/* A header of this pool that its table does not have: left behind by a try, if nothing else is there. */
	region.force = false;
	copy_file(path, copy);
	f = fopen(copy, "r+");
	CHECK(f != NULL);
	CHECK_EQ(fread(&header, sizeof header, 1, f), 1);
	header.uuid[0] ^= 1;
	header.crc = cpu_to_le32(region_header_crc(&header));
	rewind(f);
	CHECK_EQ(fwrite(&header, sizeof header, 1, f), 1);
	fclose(f);
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), -EMEDIUMTYPE);
	CHECK_EQ(truncate(copy, PAGE), 0);
	CHECK_EQ(truncate(copy, 1 << 20), 0);
	CHECK_EQ(prmem_add_region(t.pool, &region, sizeof region, &err), 0);
	temp_pool_reopen(&t);
	check_is_clean(&t);
	disk = temp_disk(&t, "d", 1);
	verify(disk, at);
	prmem_disk_close(disk);
	unlink(copy);
	unlink(path);
	temp_pool_remove(&t);
}

struct reader {
	struct prmem_disk *disk;
	uint64_t nr;
	atomic_bool stop;
};

static void *
read_and_write(void *opaque)
{
	struct reader *r = opaque;
	char buf[PAGE], want[PAGE];

	for (uint64_t i = 0; !atomic_load(&r->stop); i++) {
		uint64_t idx = mix64(i) % r->nr;

		pattern(want, idx);
		CHECK_EQ(prmem_disk_read(r->disk, buf, PAGE, idx * PAGE), 0);
		CHECK(memcmp(buf, want, PAGE) == 0);
		CHECK_EQ(prmem_disk_write(r->disk, want, PAGE, idx * PAGE), 0);
	}
	return NULL;
}

static void
readers_and_writers_go_on_meanwhile(void)
{
	struct reader reader = {.nr = 0};
	struct prmem_error err;
	pthread_t threads[2];
	struct temp_pool t;

	temp_pool_make(&t, 1 << 20);
	reader.disk = temp_disk(&t, "d", 64 << 20);
	fill_up(reader.disk, &reader.nr);
	for (unsigned int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, read_and_write, &reader), 0);
	for (uint64_t i = 1; i <= 12; i++)
		CHECK_EQ(prmem_grow(t.pool, (1 << 20) + i * 300 * PAGE, &err), 0);
	atomic_store(&reader.stop, true);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	fill_up(reader.disk, &reader.nr);
	verify(reader.disk, reader.nr);
	check_is_clean(&t);
	prmem_disk_close(reader.disk);
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
	real_ops->copy(pm, dst, src, len_bytes, site);
	step();
}

static int
killing_extend(struct pm *pm, uint64_t old_bytes, uint64_t new_bytes, struct pm **ret_more)
{
	int r;

	step();
	r = real_ops->extend(pm, old_bytes, new_bytes, ret_more);
	step();
	return r;
}

static void
grow_and_die(struct temp_pool *t, const char *region_path, int steps)
{
	struct prmem_region_args region = {.path = region_path, .region_size_bytes = 1 << 20};
	struct pm_ops ops;

	temp_pool_open(t);
	real_ops = t->pool->pm->ops;
	ops = *real_ops;
	ops.copy = killing_copy;
	ops.extend = killing_extend;
	t->pool->pm->ops = &ops;
	steps_left = steps;
	if (region_path == NULL)
		CHECK_EQ(prmem_grow(t->pool, 2 << 20, NULL), 0);
	else
		CHECK_EQ(prmem_add_region(t->pool, &region, sizeof region, NULL), 0);
	_exit(0);
}

/* Return: was it killed, not done? */
static bool
kill_in_growth(struct temp_pool *t, const char *region_path, int steps)
{
	int status;
	pid_t pid;

	prmem_close(t->pool);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		grow_and_die(t, region_path, steps);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0));
	temp_pool_open(t);
	return WEXITSTATUS(status) == 42;
}

static void
killed_anywhere_it_is_grown_or_not(void)
{
	for (int with_region = 0; with_region < 2; with_region++) {
		bool killed = true, was_old = false, was_new = false;

		for (int steps = 1; killed; steps++) {
			struct prmem_pool_info info;
			struct prmem_disk *disk;
			struct temp_pool t;
			char path[120];
			uint64_t at = 0;

			temp_pool_make(&t, 1 << 20);
			make_region_path(&t, path);
			disk = temp_disk(&t, "d", 64 << 20);
			fill_up(disk, &at);
			prmem_disk_close(disk);
			killed = kill_in_growth(&t, with_region ? path : NULL, steps);
			prmem_pool_info(t.pool, &info, sizeof info);
			CHECK(!info.read_only && (info.size_bytes == 1 << 20 || info.size_bytes == 2 << 20));
			was_old = was_old || info.size_bytes == 1 << 20;
			was_new = was_new || info.size_bytes == 2 << 20;
			check_is_clean(&t);
			/* And it can go on: not grown, it can be grown now. */
			if (info.size_bytes == 1 << 20 && with_region)
				CHECK_EQ(prmem_add_region(t.pool,
							  &(struct prmem_region_args){.path = path,
										      .region_size_bytes = 1 << 20},
							  sizeof(struct prmem_region_args), NULL),
					 0);
			else if (info.size_bytes == 1 << 20)
				CHECK_EQ(prmem_grow(t.pool, 2 << 20, NULL), 0);
			disk = temp_disk(&t, "d", 1);
			fill_up(disk, &at);
			CHECK(at > 400);
			verify(disk, at);
			prmem_disk_close(disk);
			temp_pool_reopen(&t);
			check_is_clean(&t);
			unlink(path);
			temp_pool_remove(&t);
		}
		CHECK(was_old && was_new);
	}
}

UNIT_MAIN(CASE(a_full_pool_goes_on_after_it_grew), CASE(a_grown_pool_has_as_much_room_as_a_new_one),
	  CASE(a_run_never_spans_what_was_mapped_apart), CASE(an_interrupted_growth_is_taken_back_or_done),
	  CASE(a_region_is_part_of_the_pool_for_good), CASE(a_region_that_holds_something_is_refused),
	  CASE(a_region_of_another_kind_or_one_too_many_is_refused),
	  CASE(what_is_a_part_of_the_pool_is_not_added_again), CASE(killed_anywhere_it_is_grown_or_not),
	  CASE(readers_and_writers_go_on_meanwhile))
