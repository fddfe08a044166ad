/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damaged pools (P3): every single bit of a 256 KiB pool flipped, and damage
 * of other shapes.  Each image is opened by the ordinary open and all of it
 * is read: right, or -EIO just where the damage is.
 *
 *	damage_test [-s seed] [-n stride] [-j jobs] [-b bit] [-r rounds]
 *
 * -n N flips every N-th bit, from a random one on (1: all 2,097,152; 0: none);
 * -b repeats one of them; -r is how often each other shape is tried.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/damage/judge.h"
#include "tests/unit/unit.h"

#define NR_BITS (SAMPLE_BYTES * 8u)
#define MAX_JOBS 64u
#define DEADLINE_S 120 /* for one image, on a machine that is busy */

uint64_t unit_seed;

struct job {
	struct tally tally;
	char what[120]; /* the image it is at */
};

static struct sample sample;
static struct job *jobs; /* shared by all processes */
static uint32_t nr_jobs;

static void
flip(struct job *job, uint32_t bit, uint64_t nr)
{
	static struct damage damage;
	unsigned int look = LOOK_SINGLE;
	uint8_t byte = sample.pristine[bit / 8] ^ (uint8_t)(1u << bit % 8);

	if (nr % 64 == 0)
		look |= LOOK_CHECK | LOOK_HOLES;
	if (nr % 61 == 0)
		look |= LOOK_REPAIR;
	if (nr % 4096 == 0)
		alarm(DEADLINE_S);
	snprintf(job->what, sizeof job->what, "bit %u (-b %u)", bit, bit);
	damage_of_word(&sample, bit / 64, &damage);
	memcpy(damage.what, job->what, sizeof damage.what);
	mem_poke(&sample.mem, bit / 8, &byte, 1);
	judge(&sample, &damage, look, &job->tally);
}

/* A page, or a line of it, more often one that is in use. */
static uint32_t
some_page(void)
{
	uint32_t pfn = (uint32_t)(unit_random() % (SAMPLE_BYTES / MEM_POOL_PAGE));

	for (int i = 0; i < 3 && sample.parts[pfn * 512].kind == PART_NONE; i++)
		pfn = (uint32_t)(unit_random() % (SAMPLE_BYTES / MEM_POOL_PAGE));
	return pfn;
}

static uint64_t
some_place(uint32_t unit)
{
	return (uint64_t)some_page() * MEM_POOL_PAGE + unit_random() % (MEM_POOL_PAGE / unit) * unit;
}

static void
set(uint64_t off, uint8_t value, size_t len_bytes)
{
	uint8_t buf[MEM_POOL_PAGE];

	memset(buf, value, len_bytes);
	mem_poke(&sample.mem, off, buf, len_bytes);
}

static void
swap(uint64_t a, uint64_t b, size_t len_bytes)
{
	uint8_t buf[MEM_POOL_PAGE];

	memcpy(buf, sample.mem.image + a, len_bytes);
	mem_poke(&sample.mem, a, sample.mem.image + b, len_bytes);
	mem_poke(&sample.mem, b, buf, len_bytes);
}

static void
line_of_zeroes(void)
{
	set(some_place(64), 0, 64);
}

static void
line_erased(void)
{
	set(some_place(64), 0xff, 64);
}

static void
lines_exchanged(void)
{
	swap(some_place(64), some_place(64), 64);
}

static void
lines_exchanged_in_a_page(void)
{
	uint64_t page = (uint64_t)some_page() * MEM_POOL_PAGE;

	swap(page + unit_random() % 64 * 64, page + unit_random() % 64 * 64, 64);
}

static void
page_of_zeroes(void)
{
	set((uint64_t)some_page() * MEM_POOL_PAGE, 0, MEM_POOL_PAGE);
}

static void
page_erased(void)
{
	set((uint64_t)some_page() * MEM_POOL_PAGE, 0xff, MEM_POOL_PAGE);
}

static void
pages_exchanged(void)
{
	swap((uint64_t)some_page() * MEM_POOL_PAGE, (uint64_t)some_page() * MEM_POOL_PAGE, MEM_POOL_PAGE);
}

static void
slot_copied(void)
{
	uint64_t from = some_place(8);

	mem_poke(&sample.mem, some_place(8), sample.mem.image + from, 8);
}

static void
slot_copied_in_a_leaf(void)
{
	uint64_t leaf = (uint64_t)sample.leaf_pfn[unit_random() % sample.nr_leaves] * MEM_POOL_PAGE;
	uint64_t from = leaf + unit_random() % 12 * 8, to = leaf + unit_random() % 12 * 8;

	mem_poke(&sample.mem, to, sample.mem.image + from, 8);
}

static void
random_bytes(void)
{
	uint64_t noise[8], off = some_place(8);

	for (int i = 0; i < 8; i++)
		noise[i] = unit_random();
	mem_poke(&sample.mem, off, noise, 1 + unit_random() % 8);
}

static void
both_superblocks(void)
{
	set(unit_random() % 64 * 64, 0xff, 64);
	set((uint64_t)SB_PFN_B * MEM_POOL_PAGE + unit_random() % 64 * 64, 0, 64);
}

static void
second_half_overwritten(void)
{
	for (uint32_t pfn = 32; pfn < SAMPLE_BYTES / MEM_POOL_PAGE; pfn++)
		set((uint64_t)pfn * MEM_POOL_PAGE, (uint8_t)(unit_random() | 1), MEM_POOL_PAGE);
}

static void
stale_page(void)
{
	uint32_t i = (uint32_t)(unit_random() % sample.nr_items);

	if (sample.content_pfn[i] != 0)
		mem_poke(&sample.mem, (uint64_t)sample.content_pfn[i] * MEM_POOL_PAGE, sample.items[i].older,
			 MEM_POOL_PAGE);
}

static void
stale_leaf(void)
{
	mem_poke(&sample.mem, (uint64_t)sample.leaf_pfn[0] * MEM_POOL_PAGE, sample.older_leaf, MEM_POOL_PAGE);
}

static void
tail_cut_off(void)
{
	sample.mem.pm.len_bytes -= MEM_POOL_PAGE * (1 + unit_random() % (SAMPLE_BYTES / MEM_POOL_PAGE - 1));
}

static const struct {
	const char *name;
	void (*fn)(void);
	unsigned int look;
} shapes[] = {
	{"line of zeroes", line_of_zeroes, LOOK_CHECK | LOOK_REPAIR},
	{"line erased", line_erased, LOOK_CHECK | LOOK_REPAIR},
	{"lines exchanged", lines_exchanged, LOOK_CHECK | LOOK_REPAIR},
	{"lines of a page exchanged", lines_exchanged_in_a_page, LOOK_CHECK | LOOK_REPAIR},
	{"page of zeroes", page_of_zeroes, LOOK_CHECK | LOOK_REPAIR},
	{"page erased", page_erased, LOOK_CHECK | LOOK_REPAIR},
	{"pages exchanged", pages_exchanged, LOOK_CHECK | LOOK_REPAIR},
	{"slot copied", slot_copied, LOOK_CHECK | LOOK_REPAIR},
	{"slot copied in a leaf", slot_copied_in_a_leaf, LOOK_CHECK | LOOK_REPAIR},
	{"random bytes", random_bytes, LOOK_CHECK | LOOK_REPAIR},
	{"both superblocks", both_superblocks, LOOK_CHECK},
	{"second half overwritten", second_half_overwritten, LOOK_CHECK},
	{"stale page", stale_page, LOOK_CHECK | LOOK_REPAIR},
	{"stale leaf", stale_leaf, LOOK_CHECK | LOOK_STALE},
	{"tail cut off", tail_cut_off, 0},
};

static void
reshape(struct job *job, uint32_t nr_rounds, uint32_t me)
{
	static struct damage damage;
	uint64_t seed = unit_seed;
	unsigned int look;

	for (uint32_t round = me; round < nr_rounds; round += nr_jobs) {
		for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
			unit_seed = seed + round * 1000 + i;
			alarm(DEADLINE_S);
			shapes[i].fn();
			damage_of_image(&sample, &damage);
			snprintf(job->what, sizeof job->what, "%s, round %u", shapes[i].name, round);
			for (uint32_t k = 0; k < damage.nr_parts && getenv("DAMAGE_VERBOSE") != NULL; k += 17)
				printf("%s: kind %d of %u, %u to %u\n", job->what, damage.parts[k].kind,
				       damage.parts[k].inst, damage.parts[k].first, damage.parts[k].last);
			memcpy(damage.what, job->what, sizeof damage.what);
			look = shapes[i].look;
			if (round % 16 == 0)
				look |= LOOK_HOLES;
			if (round / nr_jobs % 2 == 1)
				look &= ~LOOK_REPAIR;
			judge(&sample, &damage, look, &job->tally);
			sample.mem.pm.len_bytes = SAMPLE_BYTES;
			CHECK(memcmp(sample.mem.image, sample.pristine, SAMPLE_BYTES) == 0);
		}
	}
}

static void
work(uint32_t me, uint32_t stride, uint32_t nr_rounds)
{
	uint64_t nr = 0;

	reshape(&jobs[me], nr_rounds, me);
	if (stride == 0)
		return;
	for (uint32_t bit = (uint32_t)(unit_seed % stride) + me * stride; bit < NR_BITS; bit += nr_jobs * stride) {
		flip(&jobs[me], bit, nr++);
		if (nr % 1024 == 0)
			CHECK(memcmp(sample.mem.image, sample.pristine, SAMPLE_BYTES) == 0);
	}
	CHECK(memcmp(sample.mem.image, sample.pristine, SAMPLE_BYTES) == 0);
}

int
main(int argc, char **argv)
{
	uint32_t stride = 512, nr_rounds = 40;
	pid_t pids[MAX_JOBS];
	int64_t only = -1;
	struct tally sum = {0};
	struct timespec from, to;
	bool failed = false;
	int opt;

	unit_seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	nr_jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	while ((opt = getopt(argc, argv, "s:n:j:b:r:")) != -1) {
		switch (opt) {
		case 's':
			unit_seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			stride = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'j':
			nr_jobs = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'b':
			only = strtoll(optarg, NULL, 0);
			break;
		case 'r':
			nr_rounds = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		default:
			fprintf(stderr, "usage: %s [-s seed] [-n stride] [-j jobs] [-b bit] [-r rounds]\n", argv[0]);
			return 2;
		}
	}
	nr_jobs = MIN(MAX(nr_jobs, 1u), MAX_JOBS);
	printf("seed %" PRIu64 " (repeat with -s %" PRIu64 " -n %u -j %u -r %u)\n", unit_seed, unit_seed, stride,
	       nr_jobs, nr_rounds);
	fflush(stdout);
	jobs = mmap(NULL, MAX_JOBS * sizeof *jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(jobs != MAP_FAILED);
	clock_gettime(CLOCK_MONOTONIC, &from);
	/* The parent has no pool open, ever: liburcu's helper threads do not survive fork(). */
	for (uint32_t i = 0; i < nr_jobs; i++) {
		pids[i] = fork();
		CHECK(pids[i] >= 0);
		if (pids[i] != 0)
			continue;
		sample_make(&sample);
		if (only >= 0)
			flip(&jobs[i], (uint32_t)only % NR_BITS, 0);
		else
			work(i, stride, nr_rounds);
		_exit(0);
	}
	for (uint32_t i = 0; i < nr_jobs; i++) {
		const struct tally *t = &jobs[i].tally;
		int status;

		CHECK_EQ(waitpid(pids[i], &status, 0), pids[i]);
		if (status != 0) {
			fprintf(stderr, "job %u: %s %d at: %s\n", i, WIFSIGNALED(status) ? "signal" : "status",
				WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), jobs[i].what);
			failed = true;
		}
		sum.nr_images += t->nr_images;
		sum.nr_refused += t->nr_refused;
		sum.nr_read_only += t->nr_read_only;
		sum.nr_eio += t->nr_eio;
		sum.nr_healed += t->nr_healed;
		sum.nr_repaired += t->nr_repaired;
		sum.nr_checked += t->nr_checked;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("damaged images opened: %" PRIu64 " (%.0f a second)\n", sum.nr_images,
	       (double)sum.nr_images / ((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9));
	printf("refused %" PRIu64 ", read-only %" PRIu64 ", reads with EIO %" PRIu64 ", healed %" PRIu64
	       ", checked %" PRIu64 ", repaired %" PRIu64 "\n",
	       sum.nr_refused, sum.nr_read_only, sum.nr_eio, sum.nr_healed, sum.nr_checked, sum.nr_repaired);
	return failed;
}
