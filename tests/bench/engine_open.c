/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a pool costs: the time of an open and a check after a kill, against
 * one pass over the bytes of the index; space on media; memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prmem/instance.h"
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

	if (prmem_disk_create(pool, &args, &err) < 0 || prmem_disk_open(pool, "bench", &disk, &err) < 0)
		die("%s", err.message);
	return disk;
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

static double
time_of_open(unsigned int nr_threads, struct prmem_pool **ret_pool)
{
	double (*clock)(void) = nr_threads == 1 ? cpu_s : now_s;
	double start = clock();

	*ret_pool = bench_open(path, 0, nr_threads);
	return clock() - start;
}

static void
open_times(uint64_t disk_bytes, double bar)
{
	const unsigned int rounds = options.rounds / 10 + 3;
	double *one = calloc(5 * (size_t)rounds, sizeof *one);
	double *many = one + rounds, *pass = one + 2 * rounds, *check = one + 3 * rounds, *ratio = one + 4 * rounds;
	struct prmem_check_result result;
	struct nodes nodes = {0};
	struct prmem_pool *pool;
	char name[100], size[32];
	double limit;

	new_path();
	/* As full as can be: pages, their nodes, and what is kept back. */
	fill_and_kill(disk_bytes + disk_bytes / 500 + (8 << 20), disk_bytes);
	pool = bench_open(path, 0, 0);
	find_nodes(pool, &nodes);
	prmem_close(pool);
	for (unsigned int i = 0; i < rounds; i++) {
		double start;

		pass[i] = time_of_pass(&nodes);
		one[i] = time_of_open(1, &pool);
		ratio[i] = one[i] / pass[i];
		prmem_close(pool);
		many[i] = time_of_open(0, &pool);
		start = cpu_s();
		if (prmem_check(pool, NULL, &result, NULL) < 0 || result.nr_findings > 0)
			die("the check found something");
		check[i] = cpu_s() - start;
		prmem_close(pool);
	}
	snprintf(size, sizeof size, "%.3g GiB full", (double)disk_bytes / (1 << 30));
	limit = median(pass, rounds) * 1e3;
	snprintf(name, sizeof name, "open after a kill, 1 thread, %s", size);
	report(name, "ms", median(one, rounds) * 1e3, limit, median(ratio, rounds), bar);
	snprintf(name, sizeof name, "open after a kill, as many as CPUs, %s", size);
	report(name, "ms", median(many, rounds) * 1e3, limit, median(many, rounds) * 1e3 / limit, 0);
	snprintf(name, sizeof name, "check of the structure, %s", size);
	report(name, "ms", median(check, rounds) * 1e3, limit, median(check, rounds) * 1e3 / limit, 0);
	free(nodes.pfns);
	free(one);
}

void
bench_open_time(void)
{
	if (!wanted("open after a kill"))
		return;
	/* The bar is for pools that are not small: reading the superblocks and mapping take their time too. */
	open_times(options.disk_bytes / 4, 0);
	open_times(options.disk_bytes, 0);
	open_times(options.disk_bytes * 4, 3);
}

/* ---- space ---- */

/* Pages that a pool spends on a disk beyond those that hold its data. */
static uint64_t
nr_beyond(struct prmem_pool *pool, uint64_t nr_data)
{
	struct prmem_pool_info info;
	struct prmem_check_result result;

	(void)prmem_check(pool, NULL, &result, NULL); /* frees nothing, finds nothing: the pages that are reached */
	prmem_pool_info(pool, &info);
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
