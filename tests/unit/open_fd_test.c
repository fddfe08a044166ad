/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool that is opened by a descriptor: a memfd, a file that has lost its
 * name or got another one, and what its holder may do with the descriptor.
 */
#include "tests/unit/pool_file.h"

#include <sys/mman.h>

static int
try_fd(int fd, const struct prmem_open_args *more, struct prmem_pool **ret_pool)
{
	struct prmem_open_args args = *more;
	int r;

	args.flags |= PRMEM_OPEN_FD;
	args.fd = fd;
	args.notice = collect_notice;
	memset(&said, 0, sizeof said);
	notices[0] = '\0';
	r = prmem_open(&args, sizeof args, ret_pool, &said);
	CHECK_EQ(said.code, r);
	return r;
}

#define TRY_FD(fd, ret_pool, ...) try_fd(fd, &(struct prmem_open_args){__VA_ARGS__}, ret_pool)

static struct prmem_pool *
open_fd(int fd)
{
	struct prmem_pool *pool = NULL;
	int r = TRY_FD(fd, &pool, .path = NULL);

	if (r < 0)
		fprintf(stderr, "%s\n", said.message);
	CHECK_EQ(r, 0);
	return pool;
}

static void
write_disk(struct prmem_pool *pool, uint64_t size_bytes, char c)
{
	const struct prmem_disk_args args = {.name = "d", .size_bytes = size_bytes};
	struct prmem_disk *disk;
	char buf[PRMEM_PAGE_SIZE];
	int r = prmem_disk_create(pool, &args, sizeof args, NULL);

	CHECK(r == 0 || r == -EEXIST);
	CHECK_EQ(prmem_disk_open(pool, "d", &disk, NULL), 0);
	memset(buf, c, sizeof buf);
	CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, 0), 0);
	prmem_disk_close(disk);
}

static char
read_disk(struct prmem_pool *pool)
{
	struct prmem_disk *disk;
	char buf[PRMEM_PAGE_SIZE];

	CHECK_EQ(prmem_disk_open(pool, "d", &disk, NULL), 0);
	CHECK_EQ(prmem_disk_read(disk, buf, sizeof buf, 0), 0);
	prmem_disk_close(disk);
	return buf[17];
}

static void
a_memfd_holds_a_pool_that_grows(void)
{
	int fd = memfd_create("pool", MFD_CLOEXEC);
	struct prmem_pool_info info;
	struct prmem_region_info region;
	struct prmem_pool *pool;
	char text[64];

	CHECK(fd >= 0);
	/* Empty: it gets a length only when one was given, and keeps it only when the open succeeds. */
	CHECK_EQ(TRY_FD(fd, &pool, .path = NULL), -EINVAL);
	CHECK_EQ(TRY_FD(fd, &pool, .pool_size_bytes = POOL_BYTES, .format = PRMEM_FORMAT_NEVER), -EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_EQ(TRY_FD(fd, &pool, .path = "/nowhere/at all", .pool_size_bytes = POOL_BYTES), 0);
	CHECK(strstr(notices, "/nowhere/at all") != NULL && strstr(notices, "its name may not survive") == NULL);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(info.size_bytes, POOL_BYTES);
	write_disk(pool, 8 * POOL_BYTES, 'm');
	CHECK_EQ(prmem_grow(pool, 2 * POOL_BYTES, &said), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 2 * POOL_BYTES);
	CHECK_EQ(prmem_sync(pool), 0);
	prmem_close(pool);

	pool = open_fd(fd);
	CHECK_EQ(read_disk(pool), 'm');
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(info.size_bytes, 2 * POOL_BYTES);
	/* It is called what it was opened as. */
	CHECK_EQ(prmem_region_info(pool, 0, &region, sizeof region), 0);
	snprintf(text, sizeof text, "descriptor %d", fd);
	CHECK_STR(region.path, text);
	CHECK(strstr(notices, text) != NULL);
	prmem_close(pool);
	close(fd);
}

static void
a_file_without_its_name_is_the_same_pool(void)
{
	const char *path, *other;
	struct prmem_pool *pool;
	struct digest before;
	int fd;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	other = make_pool_file("other");
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	/* Another pool has the name by now. */
	CHECK_EQ(rename(path, in_dir("renamed")), 0);
	CHECK_EQ(rename(other, path), 0);
	before = digest_of(path);
	CHECK_EQ(TRY_FD(fd, &pool, .path = path), 0);
	CHECK(has_instance(pool));
	write_disk(pool, POOL_BYTES, 'r');
	/* The other one is not this one, the one that was renamed is. */
	CHECK_EQ(prmem_add_region(pool, &(struct prmem_region_args){.path = path}, sizeof(struct prmem_region_args),
				  &said),
		 -EMEDIUMTYPE);
	CHECK_EQ(prmem_add_region(pool, &(struct prmem_region_args){.path = in_dir("renamed"), .force = true},
				  sizeof(struct prmem_region_args), &said),
		 -EEXIST);
	prmem_close(pool);
	CHECK(same(before, digest_of(path)));

	/* Without any name. */
	CHECK_EQ(unlink(in_dir("renamed")), 0);
	pool = open_fd(fd);
	CHECK_EQ(read_disk(pool), 'r');
	CHECK_EQ(prmem_grow(pool, 2 * POOL_BYTES, &said), 0);
	write_disk(pool, POOL_BYTES, 's');
	prmem_close(pool);
	pool = open_fd(fd);
	CHECK_EQ(read_disk(pool), 's');
	prmem_close(pool);
	close(fd);
	work_dir_remove();
}

/* Made by an open that failed: the length is taken back, a file is never removed. */
static void
a_failed_open_leaves_the_file_as_it_was(void)
{
	const char *path;
	struct prmem_pool *pool;
	struct digest before;
	int fd;

	work_dir_make(NULL);
	path = in_dir("text");
	write_at(path, 300000, "not a pool", 10);
	set_length(path, POOL_BYTES);
	before = digest_of(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(TRY_FD(fd, &pool, .path = NULL), -EMEDIUMTYPE);
	CHECK_EQ(TRY_FD(fd, &pool, .path = "the pool", .pool_size_bytes = POOL_BYTES), -EMEDIUMTYPE);
	CHECK(strstr(said.message, "the pool") != NULL);
	CHECK(same(before, digest_of(path)));
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(TRY_FD(fd, &pool, .pool_size_bytes = 4096), -EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_EQ(access(path, F_OK), 0);
	close(fd);
	work_dir_remove();
}

/* flock() belongs to what open() made, and a duplicate would share it with the caller. */
static void
the_lock_is_the_pools_own(void)
{
	struct prmem_pool *pool, *second;
	const char *path;
	int fd;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	pool = open_fd(fd);
	CHECK_EQ(try_open(path, &second), -EBUSY);
	CHECK_EQ(TRY_FD(fd, &second, .path = NULL), -EBUSY);
	CHECK_EQ(TRY_FD(fd, &second, .read_only = true), -EBUSY);
	CHECK(strstr(said.message, "has it open already") != NULL);
	/* It goes with the pool, not with the descriptor. */
	close(fd);
	CHECK_EQ(try_open(path, &second), -EBUSY);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	prmem_close(pool);
	pool = must_open(path, .size_bytes = 0);
	CHECK_EQ(TRY_FD(fd, &second, .path = NULL), -EBUSY);
	prmem_close(pool);
	pool = open_fd(fd);
	prmem_close(pool);
	close(fd);
	work_dir_remove();
}

static void
what_the_descriptor_is_not_open_for_is_not_done(void)
{
	struct prmem_pool *pool, *second;
	struct digest before;
	const char *path;
	int fd, out[2];

	work_dir_make(NULL);
	path = make_pool_file("pool");
	before = digest_of(path);

	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_EQ(TRY_FD(fd, &pool, .path = NULL), -EACCES);
	CHECK(strstr(said.message, "not open for reading and writing") != NULL);
	CHECK_EQ(TRY_FD(fd, &pool, .read_only = true), 0);
	CHECK(has_instance(pool));
	CHECK_EQ(TRY_FD(fd, &second, .read_only = true), 0);
	prmem_close(second);
	prmem_close(pool);
	close(fd);

	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK_EQ(TRY_FD(fd, &pool, .path = NULL), -EACCES);
	CHECK_EQ(TRY_FD(fd, &pool, .read_only = true), -EACCES);
	close(fd);
	CHECK(same(before, digest_of(path)));

	fd = open(path, O_PATH | O_CLOEXEC);
	pool = open_fd(fd);
	CHECK(has_instance(pool));
	prmem_close(pool);
	close(fd);

	CHECK_EQ(TRY_FD(fd, &pool, .path = NULL), -EBADF);
	CHECK_EQ(TRY_FD(-1, &pool, .path = NULL), -EBADF);
	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	CHECK(TRY_FD(out[0], &pool, .path = NULL) < 0);
	CHECK_EQ(TRY_FD(out[0], &pool, .read_only = true), -EINVAL);
	close(out[0]);
	close(out[1]);
	fd = open(work_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_EQ(TRY_FD(fd, &pool, .read_only = true), -EINVAL);
	close(fd);
	work_dir_remove();
}

static void
a_flag_that_is_not_known_is_refused(void)
{
	struct prmem_open_args args = {.flags = 1u << 31};
	struct prmem_pool *pool;

	work_dir_make(NULL);
	args.path = in_dir("pool");
	args.pool_size_bytes = POOL_BYTES;
	CHECK_EQ(prmem_open(&args, sizeof args, &pool, &said), -EINVAL);
	CHECK(strstr(said.message, "flags 0x80000000") != NULL);
	CHECK(access(args.path, F_OK) < 0);
	/* The descriptor counts with its flag only: 0 is one, too. */
	args.flags = 0;
	args.fd = 12345;
	CHECK_EQ(prmem_open(&args, sizeof args, &pool, &said), 0);
	prmem_close(pool);
	work_dir_remove();
}

UNIT_MAIN(CASE(a_memfd_holds_a_pool_that_grows), CASE(a_file_without_its_name_is_the_same_pool),
	  CASE(a_failed_open_leaves_the_file_as_it_was), CASE(the_lock_is_the_pools_own),
	  CASE(what_the_descriptor_is_not_open_for_is_not_done), CASE(a_flag_that_is_not_known_is_refused))
