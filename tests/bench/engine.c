/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine - the engine against the limits of the machine.
 *
 *	engine [--world=pmem|cache] [--size=BYTES] [--rounds=N] [--slice=MS]
 *	       [--dir=DIR] [--part=requests|pools] [--only=TEXT] [--json]
 *
 * Pools are made in a tmpfs.  In the world "pmem" libpmem is told to take that
 * for persistent memory, and every flush and fence is made; what a real
 * device adds in time is not.  In the world "cache" it is a file like any other.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prmem/memory/pm_libpmem.h"
#include "tests/bench/engine.h"

static struct bench bench;

struct prmem_pool *
bench_open(const char *path, uint64_t size_bytes, unsigned int nr_threads)
{
	struct prmem_open_args args = {.path = path, .pool_size_bytes = size_bytes, .nr_mark_threads = nr_threads};
	struct prmem_error err = {0};
	struct prmem_pool *pool;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0)
		die("%s", err.message);
	return pool;
}

void
bench_fill(struct prmem_disk *disk, uint64_t len_bytes)
{
	static uint64_t buf[1 << 17]; /* 1 MiB */
	struct rng rng = {0x9e3779b97f4a7c15};

	for (size_t i = 0; i < sizeof buf / sizeof *buf; i++)
		buf[i] = rng_next(&rng) | 1;
	for (uint64_t off = 0; off < len_bytes; off += sizeof buf) {
		uint64_t n = len_bytes - off < sizeof buf ? len_bytes - off : sizeof buf;

		buf[off >> 20 & 0xffff] ^= off;
		if (prmem_disk_write(disk, buf, n, off) < 0)
			die("filling the disk failed at %llu", (unsigned long long)off);
	}
}

/* What a pool has beside the pages of its disk: where what is replaced goes. */
#define SPARE_BYTES (UINT64_C(64) << 20)

/* Memory like the pool's, for the limits: the same kind of file, as long, mapped in the same way. */
static void
map_limit(struct bench *b)
{
	uint64_t len_bytes = (uint64_t)b->nr_limit_pages * (PRMEM_PAGE_SIZE + 8);
	struct prmem_error err = {0};
	struct rng rng = {42};

	b->limit_fd = open(b->limit_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unlink(b->limit_path);
	if (b->limit_fd < 0 || ftruncate(b->limit_fd, (off_t)len_bytes) < 0)
		die("%s: %s", b->limit_path, strerror(errno));
	if (pm_libpmem_map(b->limit_path, b->limit_fd, len_bytes, false, false, &b->limit, &err) < 0)
		die("%s", err.message);
	if (pm_ensure(b->limit, 0, len_bytes) < 0)
		die("%s: no room for %llu bytes", b->limit_path, (unsigned long long)len_bytes);
	for (uint64_t i = 0; i < len_bytes / 8; i++)
		((uint64_t *)b->limit->base)[i] = rng_next(&rng);
}

static void
bench_begin(struct bench *b)
{
	struct prmem_disk_args args = {.name = "bench", .size_bytes = options.disk_bytes};
	struct prmem_error err = {0};

	b->nr_pages = (uint32_t)(options.disk_bytes / PRMEM_PAGE_SIZE);
	snprintf(b->path, sizeof b->path, "%.200s/prmem-bench-%d.pool", options.dir, (int)getpid());
	snprintf(b->limit_path, sizeof b->limit_path, "%.200s/prmem-bench-%d.limit", options.dir, (int)getpid());
	b->nr_limit_pages = b->nr_pages + (uint32_t)(SPARE_BYTES / PRMEM_PAGE_SIZE);
	b->pool = bench_open(b->path, options.disk_bytes + options.disk_bytes / 500 + SPARE_BYTES, 0);
	/* It is open by its descriptor; whatever ends this program, the memory comes back. */
	unlink(b->path);
	if (prmem_disk_create(b->pool, &args, sizeof args, &err) < 0 ||
	    prmem_disk_open(b->pool, "bench", &b->disk, &err) < 0)
		die("%s", err.message);
	/* Twice: then no page of the pool is touched for the first time when it is measured. */
	bench_fill(b->disk, options.disk_bytes);
	bench_fill(b->disk, options.disk_bytes);
	map_limit(b);
}

static void
bench_end(struct bench *b)
{
	if (b->disk != NULL)
		prmem_disk_close(b->disk);
	if (b->pool != NULL)
		prmem_close(b->pool);
	if (b->limit != NULL) {
		b->limit->ops->close(b->limit);
		close(b->limit_fd);
	}
	b->disk = NULL;
	b->pool = NULL;
	b->limit = NULL;
}

static void
clean_up(void)
{
	bench_end(&bench);
}

/* A reader that goes away, or an impatient person, must not leave gigabytes in a tmpfs. */
static void
on_signal(int signo)
{
	bench_remove_pool();
	_exit(128 + signo);
}

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	switch (*end) {
	case 'G':
		n <<= 10;
		__attribute__((fallthrough));
	case 'M':
		n <<= 10;
		__attribute__((fallthrough));
	case 'K':
		n <<= 10;
		end++;
	}
	if (n == 0 || *end != '\0')
		die("%s is not a number", text);
	return n;
}

static void
parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"world", required_argument, NULL, 'w'},	{"size", required_argument, NULL, 's'},
		{"rounds", required_argument, NULL, 'r'},	{"slice", required_argument, NULL, 't'},
		{"dir", required_argument, NULL, 'd'},		{"part", required_argument, NULL, 'p'},
		{"only", required_argument, NULL, 'o'},		{"json", no_argument, NULL, 'j'},
		{"open-and-die", required_argument, NULL, 'k'}, {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'w':
			if (strcmp(optarg, "pmem") != 0 && strcmp(optarg, "cache") != 0)
				die("the worlds are pmem and cache");
			options.pmem = strcmp(optarg, "pmem") == 0;
			break;
		case 's':
			options.disk_bytes = number(optarg) / (1 << 20) << 20;
			if (options.disk_bytes == 0)
				die("--size is 1M at least");
			break;
		case 'r':
			options.rounds = (unsigned int)number(optarg);
			break;
		case 't':
			options.slice_s = (double)number(optarg) / 1000;
			break;
		case 'd':
			options.dir = optarg;
			break;
		case 'p':
			if (strcmp(optarg, "requests") != 0 && strcmp(optarg, "pools") != 0)
				die("the parts are requests and pools");
			options.requests = strcmp(optarg, "requests") == 0;
			options.pools = !options.requests;
			break;
		case 'o':
			options.only = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'k':
			bench_open_and_die(optarg);
			break;
		default:
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGPIPE, SIGTERM};
	const char *forced = getenv("PMEM_IS_PMEM_FORCE");

	parse(argc, argv);
	/* libpmem read it when it was loaded: change it, and begin again. */
	if (options.pmem != (forced != NULL && strcmp(forced, "1") == 0)) {
		if (options.pmem)
			setenv("PMEM_IS_PMEM_FORCE", "1", 1);
		else
			unsetenv("PMEM_IS_PMEM_FORCE");
		execv("/proc/self/exe", argv);
		die("/proc/self/exe: %s", strerror(errno));
	}
	atexit(clean_up);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], on_signal);
	if (options.requests) {
		bench_begin(&bench);
		bench_pages(&bench);
		bench_stores(&bench);
		bench_threads(&bench);
		bench_end(&bench);
	}
	if (options.pools) {
		bench_open_time();
		bench_space();
		bench_dram();
	}
	return 0;
}
