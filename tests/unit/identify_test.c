/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prmem_probe() and prmem_find_holder(): a look at a pool from outside, with and
 * without a holder; and what is said of it.
 */
#include "prmem/memory/error.h"
#include "tests/unit/pool_file.h"

static void
open_pool(const char *path, struct prmem_pool **ret_pool)
{
	const struct prmem_open_args args = {.path = path, .pool_size_bytes = POOL_BYTES};

	CHECK_EQ(prmem_open(&args, sizeof args, ret_pool, NULL), 0);
}

/* Change @len bytes of the file at @off. */
static void
scribble(const char *path, off_t off, size_t len)
{
	char junk[512];
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0 && len <= sizeof junk);
	memset(junk, 0xa5, sizeof junk);
	CHECK_EQ(pwrite(fd, junk, len, off), (ssize_t)len);
	close(fd);
}

static void
refused(const char *path, int code)
{
	struct prmem_probe_info there = {.size_bytes = 7};
	struct prmem_error err = {0};

	CHECK_EQ(prmem_probe(path, &there, sizeof there, &err), code);
	CHECK_EQ(err.code, code);
	CHECK(strstr(err.message, path) != NULL);
	CHECK_EQ(there.size_bytes, 7); /* not touched */
}

static void
a_pool_is_known_with_and_without_its_holder(void)
{
	struct prmem_probe_info there;
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	const char *path;
	struct digest before, after;
	int32_t pid;

	work_dir_make(NULL);
	path = in_dir("pool");
	open_pool(path, &pool);
	CHECK_EQ(prmem_set_label(pool, "shelf 4", NULL), 0);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(prmem_probe(path, &there, sizeof there, NULL), 0);
	CHECK_STR(there.uuid, info.uuid);
	CHECK_STR(there.label, "shelf 4");
	CHECK_EQ(there.size_bytes, POOL_BYTES);
	CHECK_EQ(prmem_find_holder(path, &pid, NULL), 0);
	CHECK_EQ(pid, getpid());
	prmem_close(pool);

	before = digest_of(path);
	CHECK_EQ(prmem_probe(path, &there, sizeof there, NULL), 0);
	CHECK_EQ(prmem_find_holder(path, &pid, NULL), 0);
	CHECK_EQ(pid, 0);
	CHECK_STR(there.uuid, info.uuid);
	after = digest_of(path);
	CHECK(same(before, after));
	/* It took no lock that would be in the way. */
	open_pool(path, &pool);
	prmem_close(pool);
	work_dir_remove();
}

static void
one_superblock_of_two_is_enough(void)
{
	struct prmem_probe_info there;
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	const char *path;

	work_dir_make(NULL);
	path = in_dir("pool");
	open_pool(path, &pool);
	prmem_pool_info(pool, &info, sizeof info);
	prmem_close(pool);
	scribble(path, SB_PFN_A * PRMEM_PAGE_SIZE + 64, 64);
	CHECK_EQ(prmem_probe(path, &there, sizeof there, NULL), 0);
	CHECK_STR(there.uuid, info.uuid);
	scribble(path, SB_PFN_B * PRMEM_PAGE_SIZE + 64, 64);
	refused(path, -EIO);
	work_dir_remove();
}

static void
what_is_no_pool_is_said_to_be_none(void)
{
	const char *path;
	int32_t pid = -7;
	int fd;

	work_dir_make(NULL);
	refused(in_dir("missing"), -ENOENT);
	CHECK_EQ(prmem_find_holder(in_dir("missing"), &pid, NULL), -ENOENT);
	CHECK_EQ(pid, -7);
	refused(work_dir, -EINVAL);
	path = in_dir("foreign");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)POOL_BYTES), 0);
	refused(path, -EMEDIUMTYPE);
	scribble(path, 0, 512);
	refused(path, -EMEDIUMTYPE);
	CHECK_EQ(ftruncate(fd, 100), 0);
	refused(path, -EMEDIUMTYPE);
	close(fd);
	work_dir_remove();
}

static void
what_is_said_is_one_line(void)
{
	static const char odd[] = "a\nb\x1b[2J\x7f\xc2\x9b \xc3\xa9 \xc2\xa0";
	struct prmem_error err = {0};
	struct prmem_pool *pool;
	struct prmem_open_args args = {.read_only = true};
	char longest[sizeof err.message + 8];

	work_dir_make(NULL);
	args.path = in_dir(odd);
	CHECK_EQ(prmem_open(&args, sizeof args, &pool, &err), -ENOENT);
	CHECK(strstr(err.message, "/a?b?[2J??? \xc3\xa9 \xc2\xa0: no such") != NULL);
	CHECK_EQ(prmem_probe(args.path, &(struct prmem_probe_info){0}, sizeof(struct prmem_probe_info), &err), -ENOENT);
	CHECK(strstr(err.message, "/a?b?[2J???") != NULL);
	/* Cut in the middle of a letter. */
	memset(longest, '\n', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	longest[sizeof err.message - 2] = '\xc2';
	CHECK_EQ(error_set(&err, -EIO, "%s", longest), -EIO);
	CHECK_EQ(strlen(err.message), sizeof err.message - 1);
	CHECK(strchr(err.message, '\n') == NULL);
	work_dir_remove();
}

UNIT_MAIN(CASE(a_pool_is_known_with_and_without_its_holder), CASE(one_superblock_of_two_is_enough),
	  CASE(what_is_no_pool_is_said_to_be_none), CASE(what_is_said_is_one_line))
