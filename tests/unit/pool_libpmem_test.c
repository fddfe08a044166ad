/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The persistence primitives on a real mapping.
 */
#include "prmem/memory/pm_libpmem.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "prmem/memory/huge.h"
#include "tests/unit/pool_file.h"

static struct pm *
map_at(const char *path, int *ret_fd, bool read_only)
{
	struct prmem_error err = {0};
	struct pm *pm = NULL;
	struct stat st;

	*ret_fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	CHECK(*ret_fd >= 0);
	CHECK_EQ(fstat(*ret_fd, &st), 0);
	if (pm_libpmem_map(path, *ret_fd, (uint64_t)st.st_size, false, read_only, &pm, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		abort();
	}
	return pm;
}

static void
unmap(struct pm *pm, int fd)
{
	pm->ops->close(pm);
	close(fd);
}

static void
each_primitive_does_what_it_says(void)
{
	const char *path;
	struct pm *pm;
	pm_slot *slots;
	uint64_t expected;
	int fd;

	work_dir_make(NULL);
	path = in_dir("file");
	set_length(path, POOL_BYTES + 5);
	pm = map_at(path, &fd, false);
	CHECK(!pm->read_only);
	CHECK_EQ(pm->len_bytes, POOL_BYTES);
	CHECK_EQ(pm_ensure(pm, 0, pm->len_bytes), 0);

	/* Copies of all alignments and lengths, and not a byte beside them. */
	for (int i = 0; i < 2000; i++) {
		size_t off = unit_random() % 8192, len = unit_random() % (i % 2 == 0 ? 200 : 9000);
		static unsigned char src[20000], want[20000];

		for (size_t j = 0; j < sizeof src; j++)
			src[j] = (unsigned char)(j * 7 + (size_t)i);
		memcpy(want, pm->base, sizeof want);
		memcpy(want + off, src + 3, len);
		pm_copy(pm, (char *)pm->base + off, src + 3, len, PM_SITE_PAGE_COPY);
		pm_flush(pm, (char *)pm->base + off, len, PM_SITE_OBJECT_FLUSH);
		pm_fence(pm, PM_SITE_PAGE_FENCE);
		CHECK(memcmp(pm->base, want, sizeof want) == 0);
	}

	slots = (pm_slot *)((char *)pm->base + 32768);
	pm_store(pm, &slots[1], 42, PM_SITE_XA_SLOT_STORE);
	CHECK_EQ(atomic_load(&slots[1]), 42);
	CHECK_EQ(pm_exchange(pm, &slots[1], 43, PM_SITE_XA_SLOT_STORE), 42);
	expected = 42;
	CHECK(!pm_cmpxchg(pm, &slots[1], &expected, 44, PM_SITE_XA_SLOT_STORE));
	CHECK_EQ(expected, 43);
	CHECK(pm_cmpxchg(pm, &slots[1], &expected, 44, PM_SITE_XA_SLOT_STORE));
	CHECK_EQ(atomic_load(&slots[1]), 44);
	CHECK_EQ(atomic_load(&slots[0]), 0);
	CHECK_EQ(atomic_load(&slots[2]), 0);
	CHECK_EQ(pm_sync(pm), 0);
	unmap(pm, fd);

	read_at(path, 32768 + 8, &expected, sizeof expected);
	CHECK_EQ(expected, 44);
	CHECK_EQ(digest_of(path).size_bytes, POOL_BYTES + 5);
	work_dir_remove();
}

static uint64_t
allocated(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void
ensure_backs_a_file_with_space(void)
{
	const char *path;
	struct pm *pm;
	int fd;

	work_dir_make(NULL);
	path = in_dir("file");
	set_length(path, 16 << 20);
	pm = map_at(path, &fd, false);
	CHECK(allocated(path) < 65536);
	CHECK_EQ(pm_ensure(pm, 1 << 20, 2 << 20), 0);
	CHECK(allocated(path) >= 2 << 20);
	CHECK(allocated(path) < 4 << 20);
	CHECK_EQ(pm_ensure(pm, 1 << 20, 2 << 20), 0);
	CHECK_EQ(pm_ensure(pm, 0, 0), 0);
	/* What is there stays. */
	memset((char *)pm->base + (1 << 20), 0x77, 4096);
	CHECK_EQ(pm_ensure(pm, 0, 16 << 20), 0);
	CHECK_EQ(((char *)pm->base)[(1 << 20) + 4095], 0x77);
	CHECK_EQ(digest_of(path).size_bytes, 16 << 20);
	unmap(pm, fd);

	pm = map_at(path, &fd, true);
	CHECK(pm->read_only);
	CHECK_EQ(pm_ensure(pm, 0, 4096), -EROFS);
	CHECK_EQ(pm_sync(pm), 0);
	unmap(pm, fd);
	work_dir_remove();
}

/* What this process maps by huge pages of a file in tmpfs. */
static uint64_t
mapped_huge(const char *path)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool found = false;
	unsigned long long kib = 0, total = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof line, f) != NULL) {
		/* Its first line begins with a range of addresses. */
		if (strchr(line, '-') != NULL && strchr(line, '-') < strchr(line, ' '))
			found = strstr(line, path) != NULL;
		else if (found && sscanf(line, "ShmemPmdMapped: %llu kB", &kib) == 1)
			total += kib << 10;
	}
	fclose(f);
	return total;
}

/* Can the kernel do it at all? */
static bool
has_huge_pages(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char *base = mmap(NULL, 2 * HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)ROUND_UP((uintptr_t)base, HUGE_BYTES);
	bool has;

	if (fd < 0)
		return false;
	CHECK_EQ(posix_fallocate(fd, 0, HUGE_BYTES), 0);
	CHECK(mmap(at, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == at);
	has = madvise(at, HUGE_BYTES, 25 /* MADV_COLLAPSE */) == 0;
	munmap(base, 2 * HUGE_BYTES);
	close(fd);
	unlink(path);
	return has;
}

/* Blocks of 2 MiB of a file in tmpfs become huge pages; what is in them stays. */
static void
ensure_makes_huge_pages_in_tmpfs(void)
{
	char path[64], *base;
	struct pm *pm;
	int fd;

	snprintf(path, sizeof path, "/dev/shm/prmem-test-huge-%d", (int)getpid());
	if (!has_huge_pages(path)) {
		printf("  skipped: /dev/shm is no tmpfs, or the kernel makes no huge pages there on request\n");
		return;
	}
	set_length(path, 8 * HUGE_BYTES + 4096);
	pm = map_at(path, &fd, false);
	base = pm->base;
	CHECK_EQ((uintptr_t)base % HUGE_BYTES, 0);
	CHECK_EQ(pm_ensure(pm, 0, HUGE_BYTES), 0);
	CHECK_EQ(mapped_huge(path), HUGE_BYTES);
	/* Only whole blocks, and without a byte more than was asked for. */
	CHECK_EQ(pm_ensure(pm, HUGE_BYTES + 4096, 2 * HUGE_BYTES), 0);
	CHECK_EQ(mapped_huge(path), 2 * HUGE_BYTES);
	CHECK_EQ(allocated(path), 3 * HUGE_BYTES);
	memset(base, 0x11, 3 * HUGE_BYTES);
	CHECK_EQ(pm_ensure(pm, 0, pm->len_bytes), 0);
	CHECK_EQ(mapped_huge(path), 8 * HUGE_BYTES);
	for (size_t i = 0; i < 8 * HUGE_BYTES + 4096; i++)
		CHECK_EQ(base[i], i < 3 * HUGE_BYTES ? 0x11 : 0);
	unmap(pm, fd);

	/* They are still huge for who maps the file next. */
	pm = map_at(path, &fd, false);
	CHECK_EQ(((char *)pm->base)[4096], 0x11);
	CHECK(mapped_huge(path) >= HUGE_BYTES);
	unmap(pm, fd);
	unlink(path);
}

/* A tmpfs of 1 MiB that is full: what is backed stays so, the rest is ENOSPC. */
static void
ensure_on_a_full_file_system_is_enospc(void)
{
	const char *path;
	struct pm *pm;
	char cmd[256];
	int fd;

	work_dir_make(NULL);
	snprintf(cmd, sizeof cmd, "mount -t tmpfs -o size=1m none '%s' 2>/dev/null", work_dir);
	if (geteuid() != 0 || system(cmd) != 0) {
		printf("  skipped: no right to mount a tmpfs\n");
		work_dir_remove();
		return;
	}
	path = in_dir("file");
	set_length(path, 16 << 20);
	pm = map_at(path, &fd, false);
	CHECK_EQ(pm_ensure(pm, 0, 1 << 19), 0);
	CHECK_EQ(pm_ensure(pm, 0, 16 << 20), -ENOSPC);
	CHECK_EQ(pm_ensure(pm, 0, 1 << 19), 0);
	CHECK_EQ(pm_ensure(pm, 1 << 19, 1 << 19), 0);
	CHECK_EQ(pm_ensure(pm, 1 << 20, 4096), -ENOSPC);
	CHECK_EQ(pm_ensure(pm, 0, 1 << 20), 0);
	unmap(pm, fd);
	snprintf(cmd, sizeof cmd, "umount '%s'", work_dir);
	CHECK_EQ(system(cmd), 0);
	work_dir_remove();
}

/* ext2's files know no fallocate(): zeroes are written into the holes, and only there. */
static void
without_fallocate_holes_are_filled(void)
{
	const char *path;
	struct pm *pm;
	char cmd[512];
	int fd;

	work_dir_make(NULL);
	set_length(in_dir("image"), 8 << 20);
	CHECK_EQ(mkdir(in_dir("mnt"), 0700), 0);
	snprintf(cmd, sizeof cmd,
		 "PATH=$PATH:/sbin:/usr/sbin; mkfs.ext2 -q -F '%s' >/dev/null 2>&1 && mount -o loop '%s' '%s' "
		 "2>/dev/null",
		 in_dir("image"), in_dir("image"), in_dir("mnt"));
	if (geteuid() != 0 || system(cmd) != 0) {
		printf("  skipped: no right to mount an ext2 image, or no mkfs.ext2\n");
		work_dir_remove();
		return;
	}
	path = in_dir("mnt/file");
	set_length(path, 32 << 20);
	write_at(path, 100000, "data", 4);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fallocate(fd, 0, 0, 4096) < 0 && errno == EOPNOTSUPP);
	close(fd);

	pm = map_at(path, &fd, false);
	CHECK_EQ(pm_ensure(pm, 0, 1 << 20), 0);
	CHECK(allocated(path) >= 1 << 20);
	CHECK(allocated(path) < 2 << 20);
	CHECK(memcmp((char *)pm->base + 100000, "data", 4) == 0);
	CHECK_EQ(pm_ensure(pm, 0, 32 << 20), -ENOSPC);
	CHECK_EQ(pm_ensure(pm, 0, 1 << 20), 0);
	CHECK(memcmp((char *)pm->base + 100000, "data", 4) == 0);
	unmap(pm, fd);
	CHECK_EQ(digest_of(path).size_bytes, 32 << 20);
	snprintf(cmd, sizeof cmd, "umount '%s'", in_dir("mnt"));
	CHECK_EQ(system(cmd), 0);
	work_dir_remove();
}

/*
 * In a process of its own: libpmem reads its environment when it is loaded.
 * By its path: under valgrind, to run /proc/self/exe is to run valgrind.
 */
static void
in_a_child_with(const char *variable, const char *value, const char *which)
{
	char path[4096] = "";
	pid_t pid;
	int status;

	CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		setenv(variable, value, 1);
		execl(path, "pool_libpmem_test", which, (char *)NULL);
		_exit(127);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static void
a_file_can_be_made_to_claim_to_be_pmem(void)
{
	struct prmem_pool_info info;
	struct prmem_pool *pool;
	const char *e = getenv("PMEM_IS_PMEM_FORCE");
	struct pm *pm;
	int fd;

	if (e == NULL || strcmp(e, "1") != 0) {
		in_a_child_with("PMEM_IS_PMEM_FORCE", "1", __func__);
		return;
	}
	work_dir_make("/dev/shm");
	pool = must_open(in_dir("pool"), .size_bytes = POOL_BYTES);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK(info.is_pmem);
	CHECK(strstr(notices, "persistent memory, every acknowledged write is durable") != NULL);
	CHECK(strstr(notices, "PMEM_IS_PMEM_FORCE=1 makes this file claim to be persistent memory") != NULL);
	CHECK_EQ(prmem_sync(pool), 0);
	prmem_close(pool);

	/* Read-only: nothing is lost, no warning. */
	pool = must_open(in_dir("pool"), .read_only = true);
	prmem_pool_info(pool, &info, sizeof info);
	CHECK(info.is_pmem);
	CHECK(strstr(notices, "PMEM_IS_PMEM_FORCE") == NULL);
	prmem_close(pool);

	/* The flush that is real there. */
	pm = map_at(in_dir("pool"), &fd, false);
	CHECK(pm->is_pmem);
	pm_store(pm, (pm_slot *)((char *)pm->base + 65536), 7, PM_SITE_XA_SLOT_STORE);
	pm_flush(pm, (char *)pm->base + 65536, 8, PM_SITE_XA_SLOT_FLUSH);
	pm_fence(pm, PM_SITE_XA_SLOT_FENCE);
	CHECK_EQ(pm_sync(pm), 0);
	unmap(pm, fd);
	work_dir_remove();
}

static void
flushes_that_are_dropped_are_refused(void)
{
	struct prmem_pool *pool = NULL;
	struct digest before;
	const char *e = getenv("PMEM_NO_FLUSH");
	const char *path;

	if (e == NULL) {
		in_a_child_with("PMEM_NO_FLUSH", "1", __func__);
		in_a_child_with("PMEM_NO_FLUSH", "0", __func__);
		return;
	}
	work_dir_make("/dev/shm");
	path = in_dir("pool");
	if (strcmp(e, "0") == 0) {
		prmem_close(must_open(path, .size_bytes = POOL_BYTES));
		work_dir_remove();
		return;
	}
	CHECK_EQ(try_open(path, &pool, .size_bytes = POOL_BYTES), -EINVAL);
	CHECK(strstr(said.message, "PMEM_NO_FLUSH=1 is set, which drops every flush: unset it") != NULL);
	unsetenv("PMEM_NO_FLUSH");
	prmem_close(must_open(path, .size_bytes = POOL_BYTES));
	setenv("PMEM_NO_FLUSH", "1", 1);
	before = digest_of(path);
	CHECK_EQ(try_open(path, &pool, ), -EINVAL);
	CHECK(same(before, digest_of(path)));
	/* Who only reads needs no flush. */
	prmem_close(must_open(path, .read_only = true));
	work_dir_remove();
}

/* Bytes of address space that this process has. */
static uint64_t
address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long nr_pages;

	CHECK(f != NULL && fscanf(f, "%llu", &nr_pages) == 1);
	fclose(f);
	return nr_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
an_address_space_that_is_too_small_is_an_error(void)
{
	struct prmem_pool *pool = NULL;
	struct digest before;
	const char *path;
	pid_t pid;
	int status;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	printf("  skipped: a sanitizer needs the address space\n");
	return;
#endif
	work_dir_make("/dev/shm");
	path = in_dir("pool");
	prmem_close(must_open(path, .size_bytes = UINT64_C(1) << 30));
	before = digest_of(path);
	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct rlimit limit = {.rlim_cur = address_space() + (512 << 20), .rlim_max = RLIM_INFINITY};
		int r;

		if (setrlimit(RLIMIT_AS, &limit) < 0)
			_exit(SKIP);
		r = try_open(path, &pool, );
		if (r >= 0 || strstr(said.message, "cannot be mapped") == NULL)
			_exit(1);
		r = try_open(path, &pool, .read_only = true);
		_exit(r < 0 && strstr(said.message, "cannot be mapped: Cannot allocate memory") != NULL ? 0 : 2);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIP);
	CHECK(same(before, digest_of(path)));
	work_dir_remove();
}

UNIT_MAIN(CASE(each_primitive_does_what_it_says), CASE(ensure_backs_a_file_with_space),
	  CASE(ensure_makes_huge_pages_in_tmpfs), CASE(ensure_on_a_full_file_system_is_enospc),
	  CASE(without_fallocate_holes_are_filled), CASE(a_file_can_be_made_to_claim_to_be_pmem),
	  CASE(flushes_that_are_dropped_are_refused), CASE(an_address_space_that_is_too_small_is_an_error))
