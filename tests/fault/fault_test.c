/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every call that can fail does, in turn: the n-th one of an operation, n
 * counting up until there are no more; alone, and with all after it of its
 * kind.  The operation ends well, or with a clear error; nothing is leaked; the
 * pool is as it was, or as the operation was to leave it; and an open that
 * failed has changed no byte.
 *
 *	fault_test [operation...]
 *
 * FAULT_STEP in the environment: of an open, which makes many calls, each N-th
 * one fails, from a random one on (3; 1: each one does).
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/compiler.h"
#include "prmem/instance/instance.h"
#include "tests/fault/fault.h"
#include "tests/fault/scene.h"

struct result {
	const char *failed; /* which call, or NULL */
	int r;
	struct prmem_error err;
};

static struct scene scene;
static uint64_t nr_faults, nr_refused;

static unsigned int
nr_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	CHECK(dir != NULL);
	while (readdir(dir) != NULL)
		nr++;
	closedir(dir);
	return nr;
}

/* Mappings of the files of the scene. */
static unsigned int
nr_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int nr = 0;
	char line[512];

	CHECK(f != NULL);
	while (fgets(line, sizeof line, f) != NULL)
		nr += strstr(line, scene.dir) != NULL;
	fclose(f);
	return nr;
}

#define EXPECT(cond, ...)                                                                                              \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "%s, call %llu (%s)%s: ", op->name, (unsigned long long)n,                     \
				res.failed != NULL ? res.failed : "none failed",                                       \
				mode == FAULT_ONWARD ? " and onward" : "");                                            \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fprintf(stderr, "\n");                                                                         \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static bool
is_call(const struct result *res, const char *name)
{
	return res->failed != NULL && strcmp(res->failed, name) == 0;
}

/* A failed msync is final. */
static bool
is_for_good_read_only(void)
{
	struct prmem_pool_info info;
	struct prmem_disk *disk;
	bool is;

	prmem_pool_info(scene.pool, &info, sizeof info);
	is = info.read_only && info.read_only_why[0] != '\0' && prmem_sync(scene.pool) == -EIO;
	if (prmem_disk_open(scene.pool, "a", &disk, NULL) == 0) {
		is = is && prmem_disk_write(disk, "x", 1, 0) == -EROFS;
		prmem_disk_close(disk);
	}
	return is;
}

static void
check_while_open(const struct op *op, uint64_t n, enum fault_mode mode, const struct result *res_)
{
	const struct result res = *res_;

	if (scene.pool == NULL)
		return;
	EXPECT(op->template <POOL || scene_a_is_whole(&scene), "what was on the disk is not there any more");
	if (is_call(&res, "msync") && !op->syncs_another)
		EXPECT(is_for_good_read_only(), "the pool is not read-only after a failed msync");
}

static void
check_after(const struct op *op, uint64_t n, enum fault_mode mode, const struct result *res_)
{
	const struct result res = *res_;
	char what[600] = "";
	int state;

	state = scene_judge(&scene, op, what, sizeof what);
	EXPECT(state >= 0, "%s", what);
	if (res.r == 0 && !(op->is_quiet && res.failed != NULL))
		EXPECT(state == op->wanted, "it says that it was done, and it was not");
	else if (!op->may_be_done && !is_call(&res, "msync") && !is_call(&res, "fsync"))
		EXPECT(state == 0, "it failed, and was done");
}

/* Return: did a call fail? */
static bool
try_call(const struct op *op, uint64_t n, enum fault_mode mode)
{
	struct result res = {0};
	unsigned int fds, maps;
	int64_t allocated;
	struct digest before = {0};

	scene_set(&scene, op);
	allocated = fault_nr_allocated();
	fds = nr_fds();
	if (op->before != NULL)
		op->before(&scene);
	if (op->is_open)
		before = scene_digest(&scene);
	maps = nr_maps();
	memset(&res.err, 0, sizeof res.err);
	fault_arm(n, mode);
	res.r = op->run(&scene, &res.err);
	res.failed = fault_disarm();
	if (res.r < 0 && op->has_error) {
		EXPECT(res.err.code == res.r, "returned %d, the error object says %d", res.r, res.err.code);
		EXPECT(res.err.message[0] != '\0' && strchr(res.err.message, '\n') == NULL, "no clear error: %s",
		       res.err.message);
	}
	EXPECT(res.r == 0 || res.failed != NULL, "%s, though no call failed", res.err.message);
	nr_refused += res.r < 0;
	if (op->is_open && res.r < 0) {
		EXPECT(scene.pool == NULL, "a pool, and an error");
		/* A format whose msync fails has begun: it is done again next time. */
		if (!(op->is_format && is_call(&res, "msync")) && !(mode == FAULT_ONWARD && op->is_format))
			EXPECT(scene_is_unchanged(&scene, before, is_call(&res, "flock")), "the file was changed");
		EXPECT(nr_maps() == maps, "a mapping is left");
	}
	check_while_open(op, n, mode, &res);
	scene_close(&scene);
	EXPECT(fault_nr_allocated() == allocated, "%lld allocations are left",
	       (long long)(fault_nr_allocated() - allocated));
	EXPECT(nr_fds() == fds, "%u descriptors instead of %u", nr_fds(), fds);
	EXPECT(nr_maps() == 0, "a mapping is left");
	check_after(op, n, mode, &res);
	return res.failed != NULL;
}

static void
try_all(const struct op *op)
{
	static const enum fault_mode modes[] = {FAULT_ONCE, FAULT_ONWARD};
	const char *given = getenv("FAULT_STEP");
	uint64_t nr = 0, refused = nr_refused, step = 1;

	if (op->is_open)
		step = given != NULL && given[0] != '\0' ? MAX(strtoull(given, NULL, 10), 1) : 3;
	for (unsigned int m = 0; m < 2; m++) {
		uint64_t n = unit_random() % step + 1;

		for (; try_call(op, n, modes[m]); nr++)
			n += step;
		CHECK(n < 10000);
	}
	printf("%s: %llu calls failed, %llu times it was refused\n", op->name, (unsigned long long)nr,
	       (unsigned long long)(nr_refused - refused));
	fflush(stdout);
	nr_faults += nr;
}

uint64_t unit_seed;

int
main(int argc, char **argv)
{
	const struct op *ops;
	size_t nr = fault_ops(&ops);

	unit_seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	scene_make(&scene);
	for (size_t i = 0; i < nr; i++) {
		bool wanted = argc == 1;

		for (int j = 1; j < argc; j++)
			wanted = wanted || strcmp(argv[j], ops[i].name) == 0;
		if (wanted)
			try_all(&ops[i]);
	}
	scene_remove(&scene);
	printf("failing calls: %llu, in %zu operations\n", (unsigned long long)nr_faults, nr);
	CHECK(nr_faults > 0);
	return 0;
}
