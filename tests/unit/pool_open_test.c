/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening and making pools: what each bad input gets, and that it stays byte
 * for byte as it was (promise P4).
 */
#include "prmem/core/pool.h"
#include "prmem/memory/pm_libpmem.h"
#include "prmem/pool/open_memory.h"
#include "tests/unit/pool_file.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

/* An open that must fail: the error, a part of its message, and not a byte changed. */
static void
refused_how(const char *path, struct how how, int code, const char *fragment)
{
	struct digest before = digest_of(path), after;
	struct prmem_pool *pool = NULL;
	int r = try_open_how(path, how, &pool);

	if (r != code || strstr(said.message, fragment) == NULL || strstr(said.message, "pool ") != said.message)
		fprintf(stderr, "got %d \"%s\", wanted %d \"%s\"\n", r, r < 0 ? said.message : "", code, fragment);
	CHECK_EQ(r, code);
	CHECK(pool == NULL);
	CHECK(strstr(said.message, fragment) != NULL);
	CHECK(strstr(said.message, "pool ") == said.message);
	after = digest_of(path);
	CHECK(same(before, after));
	CHECK_EQ(before.mtime_ns, after.mtime_ns);
}

#define refused(path, code, fragment, ...) refused_how(path, (struct how){__VA_ARGS__}, code, fragment)

static bool
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- new files ---- */

static void
a_new_file_becomes_a_pool(void)
{
	const char *path;
	struct prmem_pool_info info, again;
	struct prmem_pool *pool;
	struct stat st;

	work_dir_make(NULL);
	path = in_dir("new");
	pool = must_open(path, .size_bytes = POOL_BYTES + 4095);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(info.nr_pages, POOL_BYTES / 4096);
	CHECK_EQ(info.size_bytes, POOL_BYTES);
	CHECK_EQ(info.nr_free, POOL_BYTES / 4096 - 3);
	CHECK_EQ(info.nr_instances, 0);
	CHECK_EQ(info.nr_regions, 1);
	CHECK_EQ(info.version, SB_VERSION);
	CHECK(!info.read_only);
	CHECK_EQ(strlen(info.uuid), 36);
	CHECK_EQ(info.uuid[14], '4');
	CHECK_STR(info.label, "");
	CHECK_STR(info.read_only_why, "");
	CHECK(strstr(notices, "made a new pool of 1024 KiB") != NULL);
	/* TMPDIR may lie on a DAX file system. */
	if (info.is_pmem)
		CHECK(strstr(notices, "persistent memory, every acknowledged write is durable") != NULL);
	else
		CHECK(strstr(notices, "page cache (not persistent memory): acknowledged writes survive the server") !=
		      NULL);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_size, POOL_BYTES);
	CHECK_EQ(st.st_mode & 0777, 0600);
	prmem_close(pool);

	/* Its own size holds; another one that is given is not applied. */
	pool = must_open(path, .size_bytes = 4 * POOL_BYTES);
	CHECK(strstr(notices, "made a new pool") == NULL);
	prmem_pool_info(pool, &again, sizeof again);
	CHECK_EQ(again.size_bytes, POOL_BYTES);
	CHECK_STR(again.uuid, info.uuid);
	prmem_close(pool);
	work_dir_remove();
}

static void
the_smallest_pool_opens(void)
{
	struct prmem_pool_info info;
	struct prmem_pool *pool;

	work_dir_make(NULL);
	pool = must_open(in_dir("small"), .size_bytes = PRMEM_POOL_SIZE_MIN);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(info.nr_pages, 64);
	prmem_close(pool);
	prmem_close(must_open(in_dir("small"), ));
	work_dir_remove();
}

/* tmpfs has room for any length; page number 2^32 - 1 stays unused. */
static void
a_large_pool_takes_no_space_ahead(void)
{
	/* valgrind has addresses for 128 GiB in all, and takes minutes for some of them. */
	const uint64_t size = UINT64_C(1) << (unit_rounds(10) == 10 ? 40 : 30);
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	struct stat st;

	work_dir_make("/dev/shm");
	pool = must_open(in_dir("large"), .size_bytes = size);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(info.size_bytes, size);
	prmem_close(pool);
	CHECK_EQ(stat(in_dir("large"), &st), 0);
	CHECK_EQ(st.st_size, size);
	CHECK((uint64_t)st.st_blocks * 512 < (UINT64_C(64) << 20));
	work_dir_remove();
}

static void
a_refused_new_file_is_not_left_behind(void)
{
	struct prmem_pool *pool = NULL;
	const char *path;

	work_dir_make(NULL);
	path = in_dir("none");
	CHECK_EQ(try_open(path, &pool, ), -ENOENT);
	CHECK(strstr(said.message, "no such file: give a size to make a new pool there") != NULL);
	CHECK_EQ(try_open(path, &pool, .size_bytes = POOL_BYTES, .format = PRMEM_FORMAT_NEVER), -ENOENT);
	CHECK_EQ(try_open(path, &pool, .size_bytes = POOL_BYTES, .read_only = true), -ENOENT);
	CHECK_EQ(try_open(path, &pool, .size_bytes = PRMEM_POOL_SIZE_MIN - 1), -EINVAL);
	CHECK(strstr(said.message, "262143 bytes are too few for a pool: it needs 262144") != NULL);
	CHECK_EQ(try_open(path, &pool, .size_bytes = PRMEM_POOL_SIZE_MAX + 1), -EINVAL);
	CHECK(strstr(said.message, "more than a pool can have") != NULL);
	CHECK_EQ(try_open(path, &pool, .size_bytes = UINT64_MAX), -EINVAL);
	CHECK_EQ(try_open(in_dir("no/such/dir"), &pool, .size_bytes = POOL_BYTES), -ENOENT);
	CHECK_EQ(try_open("", &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK(!exists(path));

	/* Nor one that was made, and then failed. */
	CHECK_EQ(setenv("PMEM_NO_FLUSH", "1", 1), 0);
	CHECK_EQ(try_open(path, &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK(strstr(said.message, "PMEM_NO_FLUSH=1 is set, which drops every flush") != NULL);
	CHECK(!exists(path));
	/* An empty file is empty again. */
	set_length(path, 0);
	CHECK_EQ(try_open(path, &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK_EQ(digest_of(path).size_bytes, 0);
	CHECK_EQ(unsetenv("PMEM_NO_FLUSH"), 0);
	CHECK(pool == NULL);
	work_dir_remove();
}

static void
a_device_that_is_missing_is_not_made_a_file(void)
{
	struct prmem_pool *pool = NULL;
	struct stat dev, root;

	if (stat("/dev", &dev) < 0 || stat("/", &root) < 0 || dev.st_dev == root.st_dev) {
		printf("  skipped: /dev is no file system of its own\n");
		return;
	}
	CHECK_EQ(try_open("/dev/dax97.42", &pool, .size_bytes = POOL_BYTES), -ENOENT);
	CHECK(strstr(said.message, "no such file or device") != NULL);
	CHECK(!exists("/dev/dax97.42"));
}

/* A server that was killed between making the file and giving it its length. */
static void
an_empty_file_becomes_a_pool_when_a_size_is_given(void)
{
	const char *path;

	work_dir_make(NULL);
	path = in_dir("empty");
	set_length(path, 0);
	refused(path, -EINVAL, "is empty: there is no pool in it", );
	refused(path, -EINVAL, "is empty", .size_bytes = POOL_BYTES, .format = PRMEM_FORMAT_NEVER);
	refused(path, -EINVAL, "is empty", .size_bytes = POOL_BYTES, .read_only = true);
	refused(path, -EINVAL, "too few", .size_bytes = 1);
	prmem_close(must_open(path, .size_bytes = POOL_BYTES));
	CHECK_EQ(digest_of(path).size_bytes, POOL_BYTES);
	work_dir_remove();
}

static void
a_file_size_limit_is_an_error_not_a_signal(void)
{
	struct prmem_pool *pool = NULL;
	struct rlimit old, low;

	work_dir_make(NULL);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 1 << 16;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
	CHECK_EQ(try_open(in_dir("new"), &pool, .size_bytes = POOL_BYTES), -EFBIG);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK(!exists(in_dir("new")));
	work_dir_remove();
}

/* A file system without room: a tmpfs of the smallest size, where we may mount one. */
static void
a_full_file_system_is_enospc(void)
{
	struct prmem_pool *pool = NULL;
	char cmd[256];

	work_dir_make(NULL);
	snprintf(cmd, sizeof cmd, "mount -t tmpfs -o size=64k none '%s' 2>/dev/null", work_dir);
	if (geteuid() != 0 || system(cmd) != 0) {
		printf("  skipped: no right to mount a tmpfs\n");
		work_dir_remove();
		return;
	}
	CHECK_EQ(try_open(in_dir("new"), &pool, .size_bytes = POOL_BYTES), -ENOSPC);
	CHECK(strstr(said.message, "cannot be formatted: No space left on device") != NULL);
	CHECK(!exists(in_dir("new")));
	snprintf(cmd, sizeof cmd, "umount '%s'", work_dir);
	CHECK_EQ(system(cmd), 0);
	work_dir_remove();
}

/* ---- what it is not ---- */

static void
what_is_no_file_is_named(void)
{
	struct prmem_pool *pool = NULL;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int s;

	work_dir_make(NULL);
	CHECK_EQ(try_open(work_dir, &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK(strstr(said.message, "is a directory: name a file in it") != NULL);
	CHECK_EQ(try_open("/dev/null", &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK(strstr(said.message, "is a character device, but no device-DAX node") != NULL);

	CHECK_EQ(mkfifo(in_dir("pipe"), 0600), 0);
	CHECK_EQ(try_open(in_dir("pipe"), &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK(strstr(said.message, "is a pipe") != NULL);

	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", in_dir("sock"));
	CHECK_EQ(bind(s, (struct sockaddr *)&addr, sizeof addr), 0);
	CHECK_EQ(try_open(in_dir("sock"), &pool, ), -EINVAL);
	CHECK(strstr(said.message, "is a socket") != NULL);
	close(s);

	CHECK_EQ(symlink(in_dir("loop"), in_dir("loop")), 0);
	CHECK_EQ(try_open(in_dir("loop"), &pool, ), -ELOOP);
	set_length(in_dir("file"), POOL_BYTES);
	CHECK_EQ(try_open(in_dir("file/x"), &pool, .size_bytes = POOL_BYTES), -ENOTDIR);

	if (mknod(in_dir("block"), S_IFBLK | 0600, makedev(259, 1048575)) == 0) {
		CHECK_EQ(try_open(in_dir("block"), &pool, .size_bytes = POOL_BYTES), -EINVAL);
		CHECK(strstr(said.message, "is a block device") != NULL);
		CHECK(strstr(said.message, "/dev/daxX.Y") != NULL);
		CHECK(strstr(said.message, "a file on a DAX file system") != NULL);
	} else {
		printf("  without a block device: no right to make a node\n");
	}
	CHECK(pool == NULL);
	work_dir_remove();
}

/* As a user without rights, in a process of its own. */
static void
a_file_without_permission_is_eacces(void)
{
	const char *path;
	int status;
	pid_t pid;

	work_dir_make("/tmp");
	CHECK_EQ(chmod(work_dir, 0755), 0);
	path = make_pool_file("pool");
	CHECK_EQ(chmod(path, geteuid() == 0 ? 0644 : 0444), 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct prmem_pool *pool;

		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(SKIP);
		if (try_open(path, &pool, ) != -EACCES ||
		    strstr(said.message, "may not be opened for reading and writing") == NULL)
			_exit(1);
		if (try_open(path, &pool, .read_only = true) != 0)
			_exit(2);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIP);
	work_dir_remove();
}

/* ---- pools that are not as they should be ---- */

static void
a_pool_of_another_length_is_refused(void)
{
	const char *path;
	char fragment[64];

	work_dir_make(NULL);
	path = make_pool_file("pool");
	for (uint64_t len = 4096; len < POOL_BYTES; len += 77 * 4096) {
		set_length(path, len);
		if (len < PRMEM_POOL_SIZE_MIN) {
			refused(path, -EINVAL, "too small for a pool", );
		} else {
			snprintf(fragment, sizeof fragment, "%" PRIu64 " bytes are there, its superblock says 1048576",
				 len);
			refused(path, -EINVAL, "is cut short", );
			refused(path, -EINVAL, fragment, );
		}
		unlink(path);
		make_pool_file("pool");
	}
	set_length(path, POOL_BYTES - 1);
	refused(path, -EINVAL, "is cut short", );
	set_length(path, 2 * POOL_BYTES);
	refused(path, -EINVAL, "is too long", );
	refused(path, -EINVAL, "2097152 bytes are there, its superblock says 1048576", .read_only = true);
	set_length(path, POOL_BYTES);
	CHECK(has_instance(must_open(path, .read_only = true)));
	work_dir_remove();
}

static void
foreign_content_is_refused_and_force_formats_it(void)
{
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	const char *path;

	work_dir_make(NULL);
	path = in_dir("foreign");
	set_length(path, POOL_BYTES);
	random_bytes_at(path, 0, POOL_BYTES);
	refused(path, -EMEDIUMTYPE, "no pool, but data of an unknown kind (at byte 0)", );
	CHECK(strstr(said.message, "format=force makes a new pool of it, and everything in it is lost") != NULL);
	refused(path, -EMEDIUMTYPE, "data of an unknown kind", .format = PRMEM_FORMAT_NEVER);
	refused(path, -EMEDIUMTYPE, "data of an unknown kind", .read_only = true);
	refused(path, -EINVAL, "cannot be formatted when it is opened read-only", .read_only = true,
		.format = PRMEM_FORMAT_FORCE);
	pool = must_open(path, .format = PRMEM_FORMAT_FORCE);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK_EQ(info.nr_instances, 0);
	prmem_close(pool);
	prmem_close(must_open(path, ));
	work_dir_remove();
}

/* The first pages are blank: a byte anywhere else is somebody's data all the same. */
static void
one_byte_anywhere_is_not_blank(void)
{
	static const uint64_t place[] = {1, 4096, 5000, 32 * 4096, 33 * 4096 - 1, 500000, POOL_BYTES - 1};
	const char *path;
	char fragment[64];

	work_dir_make(NULL);
	path = in_dir("blank");
	for (size_t i = 0; i < sizeof place / sizeof place[0]; i++) {
		unlink(path);
		set_length(path, POOL_BYTES);
		write_at(path, place[i], "\x01", 1);
		snprintf(fragment, sizeof fragment, "data of an unknown kind (at byte %" PRIu64 ")",
			 place[i] / 4096 * 4096);
		refused(path, -EMEDIUMTYPE, fragment, );
	}
	work_dir_remove();
}

static void
a_blank_file_is_formatted_unless_that_is_forbidden(void)
{
	static const char zeroes[65536];
	const char *path;

	work_dir_make(NULL);
	path = in_dir("blank");
	set_length(path, POOL_BYTES + 100);
	refused(path, -EMEDIUMTYPE, "there is no pool on it, it is blank, and format=never forbids to format it",
		.format = PRMEM_FORMAT_NEVER);
	refused(path, -EMEDIUMTYPE, "it is blank, and read-only forbids to format it", .read_only = true);
	for (uint64_t off = 0; off < POOL_BYTES; off += sizeof zeroes)
		write_at(path, off, zeroes, sizeof zeroes); /* zeroes that are no hole */
	prmem_close(must_open(path, ));
	CHECK_EQ(digest_of(path).size_bytes, POOL_BYTES + 100);
	prmem_close(must_open(path, ));
	work_dir_remove();
}

static void
one_damaged_superblock_is_repaired_and_two_are_refused(void)
{
	static const uint64_t copy[2] = {0, 32 * 4096};
	static const char *const name[2] = {"superblock A (page 0)", "superblock B (page 32)"};
	struct digest good, broken;
	struct prmem_pool *pool;
	struct sb_media sb[2];
	const char *path;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	good = digest_of(path);
	for (int i = 0; i < 2; i++) {
		flip(path, copy[i] + 70);
		broken = digest_of(path);

		/* Read-only: it is told, and nothing is changed. */
		pool = must_open(path, .read_only = true);
		CHECK(strstr(notices, name[i]) != NULL);
		CHECK(strstr(notices, "is damaged (its checksum is wrong); the other one is used") != NULL);
		CHECK(has_instance(pool));
		prmem_close(pool);
		CHECK(same(digest_of(path), broken));

		pool = must_open(path, .format = PRMEM_FORMAT_NEVER);
		CHECK(strstr(notices, name[i]) != NULL);
		CHECK(strstr(notices, "it was repaired from the other one") != NULL);
		CHECK(has_instance(pool));
		prmem_close(pool);
		read_at(path, copy[0], &sb[0], sizeof sb[0]);
		read_at(path, copy[1], &sb[1], sizeof sb[1]);
		CHECK(memcmp(&sb[0], &sb[1], sizeof sb[0]) == 0);
		pool = must_open(path, );
		CHECK(strstr(notices, "superblock") == NULL);
		prmem_close(pool);
	}
	(void)good;
	flip(path, copy[0] + 70);
	flip(path, copy[1] + 1000);
	refused(path, -EIO, "both superblocks are useless", );
	CHECK(strstr(said.message, "format=force makes a new pool of it, and everything in it is lost") != NULL);
	refused(path, -EIO, "both superblocks are useless", .size_bytes = POOL_BYTES);
	refused(path, -EIO, "both superblocks are useless", .read_only = true);
	work_dir_remove();
}

static void
edit_incompat(struct sb_media *sb)
{
	sb->incompat = cpu_to_le64(1u << 5);
}

static void
edit_version(struct sb_media *sb)
{
	sb->version = cpu_to_le32(2);
}

static void
edit_chunk_shift(struct sb_media *sb)
{
	sb->chunk_shift = cpu_to_le32(6);
}

static void
edit_two_regions(struct sb_media *sb)
{
	sb->nr_regions = cpu_to_le32(2);
	sb->regions[1].start_pfn = sb->nr_pages;
	sb->regions[1].nr_pages = cpu_to_le64(64);
	sb->nr_pages = cpu_to_le64(le64_to_cpu(sb->nr_pages) + 64);
}

static void
edit_ro_compat(struct sb_media *sb)
{
	sb->ro_compat = cpu_to_le64(UINT64_C(1) << 40);
}

static void
edit_compat_and_reserved(struct sb_media *sb)
{
	sb->compat = cpu_to_le64(UINT64_MAX);
	memset(sb->reserved1, 0xff, sizeof sb->reserved1);
	memset(sb->reserved2, 0xff, sizeof sb->reserved2);
	memset(sb->reserved3, 0xff, sizeof sb->reserved3);
	memset(sb->label, 'x', sizeof sb->label);
}

static void
newer_pools_are_refused_or_read_only(void)
{
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	struct digest before;
	const char *path;

	work_dir_make(NULL);
	path = make_pool_file("incompat");
	edit_superblock(path, edit_incompat);
	refused(path, -EPROTONOSUPPORT, "made by a newer version of prmem: incompat feature bit 5 is not known here", );
	path = make_pool_file("version");
	edit_superblock(path, edit_version);
	refused(path, -EPROTONOSUPPORT, "format version 2, known is 1", );
	path = make_pool_file("chunk");
	edit_superblock(path, edit_chunk_shift);
	refused(path, -EINVAL, "its nodes resolve 6 index bits", );
	path = make_pool_file("regions");
	edit_superblock(path, edit_two_regions);
	refused(path, -ENXIO, "region 1 (00000000-0000-0000-0000-000000000000) is missing", );

	path = make_pool_file("ro");
	edit_superblock(path, edit_ro_compat);
	before = digest_of(path);
	pool = must_open(path, );
	CHECK(strstr(notices, "read-only: made by a newer version: ro_compat feature bit 40 is not known here") !=
	      NULL);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK(info.read_only);
	CHECK(strstr(info.read_only_why, "ro_compat feature bit 40") != NULL);
	CHECK(has_instance(pool));
	prmem_close(pool);
	CHECK(same(digest_of(path), before));

	path = make_pool_file("reserved");
	edit_superblock(path, edit_compat_and_reserved);
	pool = must_open(path, );
	prmem_pool_info(pool, &info, sizeof info);
	CHECK(!info.read_only);
	CHECK_EQ(strlen(info.label), 63);
	CHECK(has_instance(pool));
	prmem_close(pool);
	work_dir_remove();
}

static void
an_interrupted_format_is_finished(void)
{
	struct prmem_pool *pool;
	const char *path;
	const uint64_t mark = htole64(SB_MAGIC_FORMATTING);

	work_dir_make(NULL);
	path = in_dir("half");
	set_length(path, POOL_BYTES);
	random_bytes_at(path, 8192, 65536); /* a forced one, over somebody's data */
	write_at(path, 0, &mark, sizeof mark);
	refused(path, -EMEDIUMTYPE, "an earlier format of it was interrupted, and format=never",
		.format = PRMEM_FORMAT_NEVER);
	refused(path, -EMEDIUMTYPE, "an earlier format of it was interrupted, and read-only", .read_only = true);
	pool = must_open(path, );
	CHECK(strstr(notices, "an earlier format of it was interrupted") != NULL);
	CHECK(strstr(notices, "made a new pool") != NULL);
	prmem_close(pool);

	/* The mark alone, before the old pool was touched: it is still there. */
	path = make_pool_file("old");
	write_at(path, 0, &mark, sizeof mark);
	pool = must_open(path, );
	CHECK(strstr(notices, "superblock A (page 0) is marked by a format that was interrupted; it was repaired") !=
	      NULL);
	CHECK(has_instance(pool));
	prmem_close(pool);
	work_dir_remove();
}

static void
force_makes_a_new_pool_of_an_old_one(void)
{
	struct prmem_pool_info old, new;
	struct prmem_pool *pool;
	const char *path;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	pool = must_open(path, .read_only = true);
	prmem_pool_info(pool, &old, sizeof old);
	prmem_close(pool);
	pool = must_open(path, .format = PRMEM_FORMAT_FORCE);
	CHECK(!has_instance(pool));
	prmem_pool_info(pool, &new, sizeof new);
	CHECK(strcmp(old.uuid, new.uuid) != 0);
	prmem_close(pool);
	work_dir_remove();
}

/* ---- read-only, and what an open may write ---- */

static void
a_read_only_open_changes_nothing(void)
{
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	struct digest before, after;
	const char *path;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	before = digest_of(path);
	pool = must_open(path, .read_only = true);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK(info.read_only);
	CHECK_STR(info.read_only_why, "");
	CHECK(has_instance(pool));
	CHECK_EQ(prmem_sync(pool), 0);
	prmem_after_fork(pool);
	prmem_close(pool);
	after = digest_of(path);
	CHECK(same(before, after));
	CHECK_EQ(before.mtime_ns, after.mtime_ns);

	/* From a file that may not be written. */
	CHECK_EQ(chmod(path, 0400), 0);
	prmem_close(must_open(path, .read_only = true));
	work_dir_remove();
}

static void
edit_grow(struct sb_media *sb)
{
	sb->grow_to_pages = cpu_to_le64(2 * le64_to_cpu(sb->nr_pages));
}

/* The file was made longer and the superblock does not say so yet. */
static void
a_growth_that_was_cut_off_is_taken_back(void)
{
	static const uint64_t length[] = {POOL_BYTES, POOL_BYTES + 4096, 2 * POOL_BYTES};
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	struct digest before;
	struct sb_media sb;
	const char *path;

	work_dir_make(NULL);
	for (size_t i = 0; i < sizeof length / sizeof length[0]; i++) {
		unlink(in_dir("pool"));
		path = make_pool_file("pool");
		edit_superblock(path, edit_grow);
		set_length(path, length[i]);
		before = digest_of(path);

		pool = must_open(path, .read_only = true);
		prmem_pool_info(pool, &info, sizeof info);
		CHECK_EQ(info.size_bytes, POOL_BYTES);
		prmem_close(pool);
		CHECK(same(digest_of(path), before));

		pool = must_open(path, );
		CHECK(strstr(notices, "a growth that was cut off was taken back") != NULL);
		prmem_pool_info(pool, &info, sizeof info);
		CHECK_EQ(info.size_bytes, POOL_BYTES);
		CHECK(has_instance(pool));
		CHECK_EQ(prmem_sync(pool), 0);
		prmem_close(pool);
		CHECK_EQ(digest_of(path).size_bytes, POOL_BYTES);
		read_at(path, 0, &sb, sizeof sb);
		CHECK_EQ(le64_to_cpu(sb.grow_to_pages), 0);
		prmem_close(must_open(path, ));
	}
	unlink(in_dir("pool"));
	path = make_pool_file("pool");
	edit_superblock(path, edit_grow);
	set_length(path, 2 * POOL_BYTES + 4096);
	refused(path, -EINVAL, "is too long", );
	work_dir_remove();
}

/* Damage anywhere: it opens, opens read-only or is refused; and a refusal changes nothing. */
static void
random_damage_is_survived(void)
{
	static char pristine[POOL_BYTES];
	struct prmem_pool *pool;
	struct digest before;
	unsigned int nr_opened = 0;
	const int nr = unit_rounds(1000);
	const char *path;

	work_dir_make("/dev/shm");
	path = make_pool_file("pool");
	read_at(path, 0, pristine, sizeof pristine);
	for (int i = 0; i < nr; i++) {
		unlink(in_dir("pool"));
		path = in_dir("pool");
		write_at(path, 0, pristine, sizeof pristine);
		for (uint64_t n = unit_random() % 20 + 1; n > 0; n--) {
			uint64_t page = unit_random() % 3 == 0 ? (unit_random() & 1) * 32 : unit_random() % 40;

			if (unit_random() % 2 == 0)
				flip(path, page * 4096 + unit_random() % 4096);
			else
				random_bytes_at(path, page * 4096 + unit_random() % 500 * 8, 64);
		}
		before = digest_of(path);
		pool = NULL;
		if (try_open(path, &pool, ) == 0) {
			prmem_close(pool);
			nr_opened++;
		} else {
			CHECK(same(before, digest_of(path)));
		}
	}
	printf("  %u of %d opened\n", nr_opened, nr);
	work_dir_remove();
}

/*
 * Memory that raises SIGBUS where the superblocks are: here a file that became
 * shorter after it was mapped.
 */
static void
bad_memory_under_a_superblock_is_survived(void)
{
	static const uint64_t length[] = {17 * 4096, 0};
	struct prmem_open_args args = {.path = "pool", .notice = collect_notice};
	struct prmem_pool_info info;
	struct prmem_error err;
	struct prmem_pool *pool;
	const char *path;
	struct pm *pm;

	work_dir_make(NULL);
	for (int i = 0; i < 2; i++) {
		int fd, r;

		path = make_pool_file("pool");
		fd = open(path, O_RDWR | O_CLOEXEC);
		CHECK(fd >= 0);
		CHECK_EQ(pm_libpmem_map(path, fd, POOL_BYTES, false, false, &pm, &err), 0);
		CHECK_EQ(ftruncate(fd, (off_t)length[i]), 0);
		notices[0] = '\0';
		r = pool_open_pm(pm, &args, &pool, &err);
		if (i == 0) {
			/* A is there, and B is not. */
			CHECK_EQ(r, 0);
			prmem_pool_info(pool, &info, sizeof info);
			CHECK(info.read_only);
			CHECK(strstr(info.read_only_why, "some of its memory is bad") != NULL);
			CHECK(strstr(notices, "superblock B (page 32) is all zeroes; the other one is used") != NULL);
			prmem_close(pool);
		} else {
			/* Zeroes in place of what is gone: not blank, and never formatted. */
			CHECK_EQ(r, -EIO);
			CHECK(strstr(err.message, "the memory is bad where its superblocks are") != NULL);
			pm->ops->close(pm);
		}
		CHECK_EQ(digest_of(path).size_bytes, length[i]);
		close(fd);
		unlink(path);
	}
	work_dir_remove();
}

static void
the_version_is_told(void)
{
	CHECK(prmem_version()[0] >= '0' && prmem_version()[0] <= '9');
}

UNIT_MAIN(CASE(a_new_file_becomes_a_pool), CASE(the_smallest_pool_opens), CASE(a_large_pool_takes_no_space_ahead),
	  CASE(a_refused_new_file_is_not_left_behind), CASE(a_device_that_is_missing_is_not_made_a_file),
	  CASE(an_empty_file_becomes_a_pool_when_a_size_is_given), CASE(a_file_size_limit_is_an_error_not_a_signal),
	  CASE(a_full_file_system_is_enospc), CASE(what_is_no_file_is_named), CASE(a_file_without_permission_is_eacces),
	  CASE(a_pool_of_another_length_is_refused), CASE(foreign_content_is_refused_and_force_formats_it),
	  CASE(one_byte_anywhere_is_not_blank), CASE(a_blank_file_is_formatted_unless_that_is_forbidden),
	  CASE(one_damaged_superblock_is_repaired_and_two_are_refused), CASE(newer_pools_are_refused_or_read_only),
	  CASE(an_interrupted_format_is_finished), CASE(force_makes_a_new_pool_of_an_old_one),
	  CASE(a_read_only_open_changes_nothing), CASE(a_growth_that_was_cut_off_is_taken_back),
	  CASE(random_damage_is_survived), CASE(bad_memory_under_a_superblock_is_survived), CASE(the_version_is_told))
