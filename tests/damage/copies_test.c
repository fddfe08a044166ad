/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of a pool, also of one that is being written, pools of the wrong
 * length, and a clock that goes backwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "common/compiler.h"
#include "tests/unit/temp_pool.h"

#define PAGE PRMEM_PAGE_SIZE
#define NR_PAGES 600u /* of the disk; two leaves */
#define NR_STEADY 300u /* of these nobody writes while it is copied */

static _Atomic int64_t clock_s = 1700000000;

time_t
time(time_t *ret)
{
	time_t now = (time_t)atomic_load(&clock_s);

	if (ret != NULL)
		*ret = now;
	return now;
}

/* ---- content: a page of a version says so in each word ---- */

static void
fill_page(uint64_t *page, uint32_t idx, uint32_t version)
{
	for (uint32_t i = 0; i < PAGE / 8; i++)
		page[i] = mix64((uint64_t)version << 32 | idx) ^ i;
	page[0] = (uint64_t)version << 32 | idx;
}

static void
write_version(struct prmem_disk *disk, uint32_t idx, uint32_t version)
{
	uint64_t page[PAGE / 8];

	fill_page(page, idx, version);
	CHECK_EQ(prmem_disk_write(disk, page, PAGE, idx * PAGE), 0);
}

/* Return: the version, or a negative errno; anything that no version is is a failure. */
static int64_t
read_version(struct prmem_disk *disk, uint32_t idx)
{
	uint64_t page[PAGE / 8], want[PAGE / 8];
	int r = prmem_disk_read(disk, page, PAGE, idx * PAGE);

	if (r < 0)
		return r;
	CHECK_EQ((uint32_t)page[0], idx);
	fill_page(want, idx, (uint32_t)(page[0] >> 32));
	CHECK(memcmp(page, want, PAGE) == 0);
	return (int64_t)(page[0] >> 32);
}

static void
make(struct temp_pool *t)
{
	struct prmem_disk *disk;

	temp_pool_make(t, 8 << 20);
	disk = temp_disk(t, "d", NR_PAGES * PAGE);
	for (uint32_t i = 0; i < NR_PAGES; i++)
		write_version(disk, i, 1);
	prmem_disk_close(disk);
}

/* As dd does it: from front to back, in pieces. */
static void
copy_file(const char *from, const char *to, size_t piece)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *buf = malloc(piece);
	ssize_t n;

	CHECK(in >= 0 && out >= 0 && buf != NULL);
	while ((n = read(in, buf, piece)) > 0) {
		CHECK_EQ(write(out, buf, (size_t)n), n);
		usleep(200);
	}
	CHECK_EQ(n, 0);
	free(buf);
	close(in);
	close(out);
}

static struct prmem_pool *
open_path(const char *path, bool read_only)
{
	const struct prmem_open_args args = {.path = path, .format = PRMEM_FORMAT_NEVER, .read_only = read_only};
	struct prmem_error err = {0};
	struct prmem_pool *pool = NULL;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	return pool;
}

static int
try_open(const char *path, struct prmem_error *err)
{
	const struct prmem_open_args args = {.path = path, .pool_size_bytes = 8 << 20};
	struct prmem_pool *pool;
	int r = prmem_open(&args, sizeof args, &pool, err);

	if (r == 0)
		prmem_close(pool);
	return r;
}

/* ---- a pool that is written while it is copied ---- */

struct writer {
	struct prmem_disk *disk;
	struct prmem_pool *pool;
	_Atomic uint32_t version[NR_PAGES]; /* acknowledged */
	atomic_bool stop;
	bool flushes;
};

static void *
write_on(void *opaque)
{
	struct writer *w = opaque;

	for (uint64_t n = 0; !atomic_load(&w->stop); n++) {
		uint32_t idx = NR_STEADY + (uint32_t)(mix64(n) % (NR_PAGES - NR_STEADY));
		uint32_t version = atomic_load(&w->version[idx]) + 1;

		write_version(w->disk, idx, version);
		atomic_store(&w->version[idx], version);
		if (w->flushes && n % 64 == 0)
			CHECK_EQ(prmem_sync(w->pool), 0);
	}
	return NULL;
}

static void
a_copy_of_a_pool_in_use_has_old_and_new_pages_and_says_which_it_has_not(void)
{
	static struct writer w;
	char copy[100];
	struct temp_pool t;
	uint32_t nr_lost = 0, nr_new = 0;

	make(&t);
	snprintf(copy, sizeof copy, "%s.copy", t.path);
	w.pool = t.pool;
	w.disk = temp_disk(&t, "d", NR_PAGES * PAGE);
	for (int round = 0; round < 6; round++) {
		struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
		struct prmem_check_result result;
		struct prmem_disk *disk;
		struct prmem_pool *pool;
		pthread_t thread;

		for (uint32_t i = 0; i < NR_PAGES; i++)
			atomic_store(&w.version[i], (uint32_t)read_version(w.disk, i));
		atomic_store(&w.stop, false);
		w.flushes = round % 2 == 1;
		CHECK_EQ(pthread_create(&thread, NULL, write_on, &w), 0);
		copy_file(t.path, copy, 64 << 10);
		atomic_store(&w.stop, true);
		pthread_join(thread, NULL);

		/* This process is the owner that the copy's record names. */
		pool = open_path(copy, false);
		CHECK(pool != NULL);
		CHECK_EQ(prmem_disk_open(pool, "d", &disk, NULL), 0);
		for (uint32_t i = 0; i < NR_PAGES; i++) {
			int64_t version = read_version(disk, i);

			if (i < NR_STEADY)
				CHECK_EQ(version, 1);
			else if (version < 0)
				CHECK_EQ(version, -EIO);
			else
				CHECK(version >= 1 && version <= atomic_load(&w.version[i]) + 1);
			nr_lost += version < 0;
			nr_new += version > 1;
		}
		/* What it says is lost heals as ever: it is a pool. */
		for (uint32_t i = NR_STEADY; i < NR_PAGES; i++)
			write_version(disk, i, 1);
		prmem_disk_close(disk);
		CHECK_EQ(prmem_check(pool, &args, sizeof args, &result, sizeof result, NULL), 0);
		CHECK_EQ(result.nr_findings, 0);
		CHECK_EQ(result.nr_leaked, 0);
		prmem_close(pool);
	}
	printf("pages of the copies that were new: %u, lost: %u\n", nr_new, nr_lost);
	CHECK(nr_new > 0);
	prmem_disk_close(w.disk);
	unlink(copy);
	temp_pool_remove(&t);
}

/* ---- two pools with one UUID ---- */

static void
a_copy_is_a_pool_of_its_own(void)
{
	struct prmem_disk *disks[2];
	struct prmem_pool *pools[2];
	struct prmem_pool_info info[2];
	char copy[100];
	struct temp_pool t;

	make(&t);
	snprintf(copy, sizeof copy, "%s.copy", t.path);
	prmem_close(t.pool);
	copy_file(t.path, copy, 1 << 20);
	temp_pool_open(&t);
	pools[0] = t.pool;
	pools[1] = open_path(copy, false);
	CHECK(pools[1] != NULL);
	for (int i = 0; i < 2; i++) {
		prmem_pool_info(pools[i], &info[i], sizeof info[i]);
		CHECK_EQ(prmem_disk_open(pools[i], "d", &disks[i], NULL), 0);
		for (uint32_t idx = 0; idx < 50; idx++)
			write_version(disks[i], idx, 10 + (uint32_t)i);
	}
	CHECK_STR(info[0].uuid, info[1].uuid);
	for (int i = 0; i < 2; i++) {
		for (uint32_t idx = 0; idx < NR_PAGES; idx++)
			CHECK_EQ(read_version(disks[i], idx), idx < 50 ? 10 + i : 1);
		prmem_disk_close(disks[i]);
	}
	prmem_close(pools[1]);
	unlink(copy);
	temp_pool_remove(&t);
}

static void
a_copy_of_a_pool_in_use_is_refused_until_the_other_is_let_go(void)
{
	struct prmem_error err = {0};
	char copy[100], path[100], byte;
	struct temp_pool t;
	int ready[2], status;
	pid_t pid;

	make(&t);
	snprintf(copy, sizeof copy, "%s.copy", t.path);
	prmem_close(t.pool);
	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		temp_pool_open(&t);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	copy_file(t.path, copy, 1 << 20);
	CHECK_EQ(try_open(copy, &err), -EBUSY);
	snprintf(path, sizeof path, "process %d ", (int)pid);
	CHECK(strstr(err.message, path) != NULL && strstr(err.message, "copy") != NULL);
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(try_open(copy, &err), 0);
	close(ready[0]);
	close(ready[1]);
	unlink(copy);
	temp_pool_open(&t);
	temp_pool_remove(&t);
}

/* ---- the wrong length ---- */

static void
a_pool_of_another_length_is_refused_and_left_alone(void)
{
	static const int64_t by[] = {-(int64_t)PAGE, PAGE, -(4 << 20), 8 << 20, -((8 << 20) - (256 << 10))};
	struct prmem_error err = {0};
	struct temp_pool t;

	make(&t);
	prmem_close(t.pool);
	for (size_t i = 0; i < ARRAY_SIZE(by); i++) {
		char copy[100];

		snprintf(copy, sizeof copy, "%s.copy", t.path);
		copy_file(t.path, copy, 8 << 20);
		CHECK_EQ(truncate(copy, (8 << 20) + by[i]), 0);
		CHECK_EQ(try_open(copy, &err), -EINVAL);
		CHECK(strstr(err.message, "length back") != NULL);
		/* With its length it is what it was, but for what was cut off. */
		CHECK_EQ(truncate(copy, 8 << 20), 0);
		if (by[i] > 0)
			CHECK_EQ(try_open(copy, &err), 0);
		unlink(copy);
	}
	temp_pool_open(&t);
	temp_pool_remove(&t);
}

/* ---- the clock ---- */

static void
a_clock_that_goes_backwards_changes_nothing(void)
{
	static const int64_t clocks[] = {1700000000, 5, 0, -1, INT64_C(1) << 40, 1, 1600000000};
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;
	struct temp_pool t;

	make(&t);
	for (uint32_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct prmem_instance *inst;
		struct prmem_disk *disk;
		char name[8], other[8];

		atomic_store(&clock_s, clocks[i]);
		temp_pool_reopen(&t);
		snprintf(name, sizeof name, "n%u", i);
		snprintf(other, sizeof other, "o%u", i);
		disk = temp_disk(&t, name, 1 << 20);
		write_version(disk, 7, i + 1);
		prmem_disk_close(disk);
		CHECK_EQ(prmem_disk_resize(t.pool, name, 2 << 20, false, NULL), 0);
		CHECK_EQ(prmem_get(t.pool, PRMEM_SUBSYSTEM_RAMDISK, name, 0, &inst, NULL), 0);
		CHECK_EQ(prmem_rename(inst, other, NULL), 0);
		prmem_put(inst);
		if (i >= 3) {
			snprintf(name, sizeof name, "o%u", i - 3);
			CHECK_EQ(prmem_disk_remove(t.pool, name, 0, NULL, NULL, NULL), 0);
		}
		CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, NULL), 0);
		CHECK_EQ(result.nr_findings + result.nr_leaked, 0);
		for (uint32_t k = i < 3 ? 0 : i - 2; k <= i; k++) {
			snprintf(name, sizeof name, "o%u", k);
			CHECK_EQ(prmem_disk_open(t.pool, name, &disk, NULL), 0);
			CHECK_EQ(prmem_disk_size(disk), 2 << 20);
			CHECK_EQ(read_version(disk, 7), k + 1);
			prmem_disk_close(disk);
		}
	}
	atomic_store(&clock_s, 1700000000);
	temp_pool_remove(&t);
}

UNIT_MAIN(CASE(a_copy_of_a_pool_in_use_is_refused_until_the_other_is_let_go),
	  CASE(a_copy_of_a_pool_in_use_has_old_and_new_pages_and_says_which_it_has_not),
	  CASE(a_copy_is_a_pool_of_its_own), CASE(a_pool_of_another_length_is_refused_and_left_alone),
	  CASE(a_clock_that_goes_backwards_changes_nothing))
