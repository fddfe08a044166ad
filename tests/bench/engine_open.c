/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a pool costs: the time of an open and a check, after a kill and after a
 * close, against one pass over the bytes of the index; of a scrub, against one
 * over all bytes; space on media; memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prmem/instance/instance.h"
#include "tests/bench/engine.h"

static char path[256];

void
bench_remove_pool(void)
{
	if (path[0] != '\0')
		unlink(path);
}

static void
new_path(void)
{
	if (path[0] == '\0')
		atexit(bench_remove_pool);
	else
		bench_remove_pool();
	snprintf(path, sizeof path, "%.200s/prmem-bench-%d.more", options.dir, (int)getpid());
	bench_remove_pool();
}

static struct prmem_disk *
make_disk(struct prmem_pool *pool, uint64_t size_bytes)
{
	struct prmem_disk_args args = {.name = "bench", .size_bytes = size_bytes};
	struct prmem_error err = {0};
	struct prmem_disk *disk;

	if (prmem_disk_create(pool, &args, sizeof args, &err) < 0 || prmem_disk_open(pool, "bench", &disk, &err) < 0)
		die("%s", err.message);
	return disk;
}

/* Is there room for a file of this size, in the tmpfs and in memory?  Else it says so. */
static bool
has_room(uint64_t len_bytes)
{
	unsigned long long kib = 0;
	struct statvfs fs;
	char line[200];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "MemAvailable: %llu", &kib);
	if (f != NULL)
		fclose(f);
	if (statvfs(options.dir, &fs) < 0 || fs.f_bavail * fs.f_frsize < len_bytes ||
	    kib << 10 < len_bytes + (UINT64_C(1) << 30)) {
		fprintf(stderr, "bench: %s has no room for a pool of %llu MiB: left out\n", options.dir,
			(unsigned long long)len_bytes >> 20);
		return false;
	}
	return true;
}

/* ---- opening ---- */

/* Fill a pool in another process, which is killed. */
static void
fill_and_kill(uint64_t pool_bytes, uint64_t disk_bytes)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct prmem_pool *pool = bench_open(path, pool_bytes, 0);

		bench_fill(make_disk(pool, disk_bytes), disk_bytes);
		kill(getpid(), SIGKILL);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		die("filling a pool of %llu bytes failed: is there room in %s?", (unsigned long long)pool_bytes,
		    options.dir);
}

void
bench_open_and_die(const char *its_path)
{
	bench_open(its_path, 0, 1);
	kill(getpid(), SIGKILL);
}

/*
 * Another process has the pool open, and is killed.  Not by fork(): all memory
 * of this one would be copied on write behind it, in what is timed next.
 */
static void
open_and_kill(void)
{
	char *argv[] = {(char *)"engine", (char *)(options.pmem ? "--world=pmem" : "--world=cache"),
			(char *)"--open-and-die", path, NULL};
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid ||
	    !WIFSIGNALED(status))
		die("a process that was to be killed ended otherwise");
}

struct nodes {
	uint32_t *pfns;
	uint64_t nr, max;
};

static bool
collect_node(void *opaque, uint32_t pfn, unsigned int level, uint32_t first)
{
	struct nodes *nodes = opaque;

	(void)level;
	(void)first;
	if (nodes->nr < nodes->max)
		nodes->pfns[nodes->nr++] = pfn;
	return true;
}

/* Where the nodes of the index are. */
static void
find_nodes(struct prmem_pool *pool, struct nodes *nodes)
{
	struct xa_visitor visitor = {.node = collect_node, .opaque = nodes};

	nodes->max = pool->nr_pages;
	nodes->pfns = calloc(nodes->max, sizeof *nodes->pfns);
	if (nodes->pfns == NULL)
		die("out of memory");
	for (struct prmem_instance *inst = pool->dir->first; inst != NULL; inst = inst->next)
		xa_walk(&inst->xa, 0, UINT32_MAX, &visitor);
}

/*
 * One pass over the index, by a fresh mapping as an open has one too: the
 * page faults are part of it.
 */
static double
time_of_pass(const struct nodes *nodes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	double start = cpu_s();
	off_t len = lseek(fd, 0, SEEK_END);
	const char *base = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t sum = 0;

	if (fd < 0 || base == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	for (uint64_t i = 0; i < nodes->nr; i++) {
		const uint64_t *slots = (const void *)(base + (uint64_t)nodes->pfns[i] * PRMEM_PAGE_SIZE);

		for (unsigned int s = 0; s < XA_CHUNK_SIZE; s++)
			sum += slots[s];
	}
	/* Or the compiler leaves it out. */
	__asm__ volatile("" : : "r"(sum));
	munmap((void *)(uintptr_t)base, (size_t)len);
	start = cpu_s() - start;
	close(fd);
	return start;
}

/* The same over all bytes of the pool. */
static double
time_of_reading(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	double start = cpu_s();
	off_t len = lseek(fd, 0, SEEK_END);
	const uint64_t *words = mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, fd, 0);
	uint64_t sum = 0;

	if (fd < 0 || words == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	for (size_t i = 0; i < (size_t)len / sizeof *words; i++)
		sum += words[i];
	__asm__ volatile("" : : "r"(sum));
	munmap((void *)(uintptr_t)words, (size_t)len);
	start = cpu_s() - start;
	close(fd);
	return start;
}

static double
time_of_open(unsigned int nr_threads, struct prmem_pool **ret_pool)
{
	double (*clock)(void) = nr_threads == 1 ? cpu_s : now_s;
	double start = clock();

	*ret_pool = bench_open(path, 0, nr_threads);
	return clock() - start;
}

static double
time_of_check(struct prmem_pool *pool, unsigned int flags)
{
	struct prmem_check_args args = {.flags = flags};
	struct prmem_check_result result;
	double start = cpu_s();

	if (prmem_check(pool, &args, sizeof args, &result, sizeof result, NULL) < 0 || result.nr_findings > 0)
		die("the check found something");
	return cpu_s() - start;
}

/* What is timed, in each round. */
enum { PASS, KILLED, CLEAN, MANY, CHECK, NR_TIMES };

struct times {
	unsigned int rounds;
	double *of[NR_TIMES];
};

static void
one_round(struct times *times, unsigned int i, const struct nodes *nodes)
{
	struct prmem_pool *pool;

	times->of[PASS][i] = time_of_pass(nodes);
	open_and_kill();
	times->of[KILLED][i] = time_of_open(1, &pool);
	prmem_close(pool);
	times->of[CLEAN][i] = time_of_open(1, &pool);
	prmem_close(pool);
	open_and_kill();
	times->of[MANY][i] = time_of_open(0, &pool);
	times->of[CHECK][i] = time_of_check(pool, 0);
	prmem_close(pool);
}

static void
report_times(struct times *times, unsigned int which, const char *what, const char *size, double bar)
{
	unsigned int rounds = times->rounds;
	double *sorted = calloc(3 * (size_t)rounds, sizeof *sorted);
	double *of = sorted, *pass = sorted + rounds, *ratios = sorted + 2 * (size_t)rounds;
	char name[100];

	if (sorted == NULL)
		die("out of memory");
	for (unsigned int i = 0; i < rounds; i++) {
		of[i] = times->of[which][i];
		pass[i] = times->of[PASS][i];
		ratios[i] = of[i] / pass[i];
	}
	snprintf(name, sizeof name, "%s, %s full", what, size);
	report(name, "ms", median(of, rounds) * 1e3, median(pass, rounds) * 1e3, median(ratios, rounds), bar);
	free(sorted);
}

/* All that the pool holds is read, and its CRCs are checked; beside it, all bytes are just read. */
static void
scrub_times(const char *size, unsigned int rounds)
{
	double scrub[3], reading[3], ratios[3];
	char name[100];

	for (unsigned int i = 0; i < rounds; i++) {
		struct prmem_pool *pool;

		reading[i] = time_of_reading();
		pool = bench_open(path, 0, 1);
		scrub[i] = time_of_check(pool, PRMEM_CHECK_SCRUB);
		prmem_close(pool);
		ratios[i] = scrub[i] / reading[i];
	}
	snprintf(name, sizeof name, "scrub of all content / reading it once, %s full", size);
	report(name, "ms", median(scrub, rounds) * 1e3, median(reading, rounds) * 1e3, median(ratios, rounds), 0);
}

static void
open_times(uint64_t disk_bytes, double bar)
{
	struct times times = {.rounds = options.rounds / 10 + 3};
	struct nodes nodes = {0};
	struct prmem_pool *pool;
	char size[32];

	if (!has_room(disk_bytes + disk_bytes / 100))
		return;
	for (unsigned int t = 0; t < NR_TIMES; t++) {
		times.of[t] = calloc(times.rounds, sizeof **times.of);
		if (times.of[t] == NULL)
			die("out of memory");
	}
	new_path();
	/* As full as can be: pages, their nodes, and what is kept back. */
	fill_and_kill(disk_bytes + disk_bytes / 500 + (8 << 20), disk_bytes);
	pool = bench_open(path, 0, 0);
	find_nodes(pool, &nodes);
	prmem_close(pool);
	for (unsigned int i = 0; i < times.rounds; i++)
		one_round(&times, i, &nodes);
	snprintf(size, sizeof size, "%.3g GiB", (double)disk_bytes / (1 << 30));
	report_times(&times, KILLED, "open after a kill, 1 thread", size, bar);
	report_times(&times, CLEAN, "open after a close, 1 thread", size, bar);
	report_times(&times, MANY, "open after a kill, as many as CPUs", size, 0);
	report_times(&times, CHECK, "check of the structure", size, 0);
	scrub_times(size, disk_bytes > UINT64_C(2) << 30 ? 1 : 3);
	for (unsigned int t = 0; t < NR_TIMES; t++)
		free(times.of[t]);
	free(nodes.pfns);
}

void
bench_open_time(void)
{
	if (!wanted("open after a kill"))
		return;
	/* The bar is for pools that are not small: reading the superblocks and mapping take their time too. */
	open_times(options.disk_bytes, 0);
	open_times(options.disk_bytes * 4, 3);
	open_times(options.disk_bytes * 16, 3);
}

/* ---- space ---- */

/* Pages that a pool spends on a disk beyond those that hold its data. */
static uint64_t
nr_beyond(struct prmem_pool *pool, uint64_t nr_data)
{
	struct prmem_pool_info info;
	struct prmem_check_result result;

	(void)prmem_check(pool, NULL, 0, &result, sizeof result,
			  NULL); /* frees nothing, finds nothing: the pages that are reached */
	prmem_pool_info(pool, &info, sizeof info);
	return result.nr_pages - nr_data;
}

static void
space_of(const char *what, uint64_t disk_bytes, uint64_t step_bytes, double bar)
{
	static const char page[PRMEM_PAGE_SIZE] = "data";
	struct prmem_pool *pool;
	struct prmem_disk *disk;
	uint64_t nr_data = 0, before, beyond;
	char name[100];

	if (!has_room(disk_bytes + disk_bytes / 100))
		return;
	new_path();
	pool = bench_open(path, disk_bytes + disk_bytes / 200 + (16 << 20), 0);
	before = nr_beyond(pool, 0);
	disk = make_disk(pool, disk_bytes);
	for (uint64_t off = 0; step_bytes > 0 && off < disk_bytes; off += step_bytes, nr_data++) {
		if (prmem_disk_write(disk, page, sizeof page, off) < 0)
			die("writing failed");
	}
	beyond = nr_beyond(pool, nr_data) - before;
	snprintf(name, sizeof name, "media beyond data, %s disk of %.3g GiB", what, (double)disk_bytes / (1 << 30));
	report(name, "pages", (double)beyond, (double)nr_data,
	       nr_data == 0 ? 0 : 100 * (double)beyond / (double)nr_data, bar);
	prmem_disk_close(disk);
	prmem_close(pool);
}

void
bench_space(void)
{
	if (!wanted("media beyond data"))
		return;
	space_of("empty", options.disk_bytes, 0, 0);
	space_of("sparse (a page every 2 MiB)", options.disk_bytes, 2 << 20, 0);
	space_of("full", options.disk_bytes, PRMEM_PAGE_SIZE, 0.25);
}

/* ---- memory ---- */

static double
heap_mib(void)
{
	struct mallinfo2 info = mallinfo2();

	return (double)(info.uordblks + info.hblkhd) / (1 << 20);
}

/* Anonymous memory that this process has touched. */
static double
resident_mib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[200];
	double kib = 0;

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		(void)sscanf(line, "RssAnon: %lf", &kib);
	if (f != NULL)
		fclose(f);
	return kib / 1024;
}

/* A pool of a TiB in a file that is nearly all hole: what the open allocates does not depend on the content. */
void
bench_dram(void)
{
	double heap, resident;
	struct prmem_pool *pool;

	if (!wanted("memory for a pool"))
		return;
	new_path();
	heap = heap_mib();
	resident = resident_mib();
	pool = bench_open(path, UINT64_C(1) << 40, 0);
	report("memory for a pool of 1 TiB, allocated", "MiB", heap_mib() - heap, 0, heap_mib() - heap, 64);
	report("memory for a pool of 1 TiB, touched at open", "MiB", resident_mib() - resident, 0,
	       resident_mib() - resident, 64);
	prmem_close(pool);
}
