/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzzing of open, walk, check, repair, read and write on damaged pools.
 *
 * An input is not an image but a list of changes to the sample pool, which is
 * the same in every run: inputs stay small, and an execution costs what opening
 * does.  The first byte says what is made to look right again, so that a change
 * gets past the checksums; the others are
 *	page (1 byte), offset in it (2, little-endian), length (1), bytes
 *
 * With libFuzzer (scripts/test fuzz) it is one; alone it runs the files it is
 * given, and then seeded random inputs:
 *	pool_fuzz_replay [-s seed] [-n number] [file...]
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "prmem/format/record_format.h"
#include "tests/damage/sample.h"
#include "tests/unit/unit.h"
#include "xarray/xa_node.h"

#define FIX_SUPERBLOCKS 1u
#define FIX_RECORDS 2u /* their own CRC and the directory's slots */
#define FIX_SLOTS 4u /* proofs of place of the leaves and the nodes above */
#define FUZZ_READ_ONLY 8u
#define FUZZ_REPAIR 16u
#define FUZZ_SHORTER 32u
#define FUZZ_WRITE 64u
#define FUZZ_COPY_SB 128u /* both superblocks alike */

#define MAX_INPUT 4096u

uint64_t unit_seed = 1;

static struct sample sample;
static uint64_t lineages[SAMPLE_NR_INSTANCES];
static uint32_t rec_pfns[SAMPLE_NR_INSTANCES], dir_pfn;
static uint64_t dir_lineage;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len_bytes, size_t max_bytes, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len_bytes, size_t max_bytes);

/* The sample is to be the same in every run. */
ssize_t
getrandom(void *buf, size_t len_bytes, unsigned int flags)
{
	uint8_t *p = buf;
	static uint64_t state;

	(void)flags;
	for (size_t i = 0; i < len_bytes; i++)
		p[i] = (uint8_t)mix64(++state);
	return (ssize_t)len_bytes;
}

time_t
time(time_t *ret)
{
	if (ret != NULL)
		*ret = 1700000000;
	return 1700000000;
}

static void *
page_at(uint32_t pfn)
{
	return sample.mem.image + (uint64_t)pfn * MEM_POOL_PAGE;
}

static void
poke_crc(uint32_t pfn)
{
	uint8_t *page = page_at(pfn);
	le32 crc = cpu_to_le32(crc32c(0, page, MEM_POOL_PAGE - 4));

	mem_poke(&sample.mem, (uint64_t)pfn * MEM_POOL_PAGE + MEM_POOL_PAGE - 4, &crc, sizeof crc);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct prmem_pool *pool;

	(void)argc;
	(void)argv;
	sample_make(&sample);
	CHECK_EQ(mem_pool_open(&sample.mem, &pool, NULL), 0);
	dir_pfn = (uint32_t)le64_to_cpu(pool->sb.dir_root);
	for (uint32_t i = 0, inst = 0; i < XA_CHUNK_SIZE; i++) {
		const uint64_t *slots = page_at(dir_pfn);
		uint64_t slot = le64toh(slots[i]);

		if (xa_entry_kind(slot) != XA_KIND_PAGE)
			continue;
		rec_pfns[inst] = (uint32_t)slot;
		lineages[inst] =
			pool_lineage(pool, le64_to_cpu(((struct record_media *)page_at((uint32_t)slot))->origin));
		inst++;
	}
	dir_lineage = pool_lineage(pool, 0);
	prmem_close(pool);
	mem_pm_take_back(&sample.mem);
	return 0;
}

/* Proofs of place for what claims to be a node, a value, or a lost entry. */
static void
fix_slots(uint32_t pfn, uint64_t lineage, unsigned int level, uint32_t first)
{
	for (uint32_t i = 0; i < XA_CHUNK_SIZE; i++) {
		uint64_t off = (uint64_t)pfn * MEM_POOL_PAGE + 8 * i, slot, fixed;
		uint32_t idx = first + (i << (XA_CHUNK_SHIFT * level));
		enum xa_kind kind;

		memcpy(&slot, sample.mem.image + off, 8);
		if (memcmp(&slot, sample.pristine + off, 8) == 0)
			continue;
		slot = le64toh(slot);
		kind = xa_entry_kind(slot);
		if (kind != XA_KIND_NODE && kind != XA_KIND_VALUE && kind != XA_KIND_BAD)
			continue;
		fixed = htole64(
			xa_mk_entry(kind, (uint32_t)slot,
				    xa_proof_at(xa_place_key(lineage), level - (kind == XA_KIND_NODE && level > 0), idx,
						kind, (uint32_t)slot)));
		mem_poke(&sample.mem, off, &fixed, 8);
	}
}

static void
fix_records(void)
{
	const uint64_t *dir = page_at(dir_pfn);

	for (uint32_t i = 0; i < XA_CHUNK_SIZE; i++) {
		uint64_t slot = le64toh(dir[i]), fixed;

		for (uint32_t inst = 0; inst < SAMPLE_NR_INSTANCES; inst++) {
			if (xa_entry_kind(slot) != XA_KIND_PAGE || (uint32_t)slot != rec_pfns[inst])
				continue;
			poke_crc(rec_pfns[inst]);
			fixed = crc32c(xa_content_seed(dir_lineage, i, XA_KIND_PAGE), page_at(rec_pfns[inst]),
				       MEM_POOL_PAGE - 4);
			fixed = htole64(xa_mk_entry(XA_KIND_PAGE, rec_pfns[inst], xa_proof_of_crc((uint32_t)fixed)));
			mem_poke(&sample.mem, (uint64_t)dir_pfn * MEM_POOL_PAGE + 8 * i, &fixed, 8);
		}
	}
}

static void
apply(const uint8_t *data, size_t len_bytes, unsigned int flags)
{
	while (len_bytes >= 5) {
		uint32_t page = data[0] % (SAMPLE_BYTES / MEM_POOL_PAGE);
		uint32_t off = (data[1] | (uint32_t)data[2] << 8) % MEM_POOL_PAGE;
		size_t n = MIN((size_t)data[3] % 64 + 1, MIN(len_bytes - 4, (size_t)MEM_POOL_PAGE - off));

		mem_poke(&sample.mem, (uint64_t)page * MEM_POOL_PAGE + off, data + 4, n);
		data += 4 + n;
		len_bytes -= 4 + n;
	}
	if (flags & FIX_SLOTS) {
		for (uint32_t w = 0; w < SAMPLE_WORDS; w += 512) {
			const struct part *p = &sample.parts[w];

			if (p->kind == PART_SLOT)
				fix_slots(w / 512, lineages[p->inst], p->first == p->last ? 0 : 1, p->first);
		}
	}
	if (flags & FIX_RECORDS)
		fix_records();
	if (flags & FUZZ_COPY_SB)
		mem_poke(&sample.mem, (uint64_t)SB_PFN_B * MEM_POOL_PAGE, page_at(SB_PFN_A), MEM_POOL_PAGE);
	if (flags & FIX_SUPERBLOCKS) {
		poke_crc(SB_PFN_A);
		poke_crc(SB_PFN_B);
	}
}

struct names {
	char name[8][64];
	uint32_t nr;
};

static int
note_name(void *opaque, const struct prmem_instance_info *info)
{
	struct names *names = opaque;

	if (names->nr < ARRAY_SIZE(names->name))
		memcpy(names->name[names->nr++], info->name, sizeof names->name[0]);
	return 0;
}

static int
note_extent(void *opaque, uint64_t off, uint64_t len_bytes, bool hole)
{
	(void)off;
	(void)len_bytes;
	(void)hole;
	return ++*(uint32_t *)opaque > 64;
}

static void
use_disk(struct prmem_disk *disk, unsigned int flags)
{
	static char buf[16 * MEM_POOL_PAGE];
	uint64_t size_bytes = prmem_disk_size(disk), pages = size_bytes / MEM_POOL_PAGE;
	static const uint32_t at[] = {0, 100, 505, 512, 1000, 1536, 262143, 1u << 30, UINT32_MAX - 20};
	uint32_t nr = 0;

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		if (at[i] + 16 <= pages)
			(void)!prmem_disk_read(disk, buf, sizeof buf, (uint64_t)at[i] * MEM_POOL_PAGE);
	}
	prmem_disk_extents(disk, size_bytes, 0, false, note_extent, &nr);
	if (!(flags & FUZZ_WRITE) || size_bytes < 3 * MEM_POOL_PAGE)
		return;
	memset(buf, 7, sizeof buf);
	(void)!prmem_disk_write(disk, buf, 2 * MEM_POOL_PAGE, MEM_POOL_PAGE / 2);
	(void)!prmem_disk_write(disk, buf, MEM_POOL_PAGE, (size_bytes - MEM_POOL_PAGE) & ~UINT64_C(4095));
	(void)!prmem_disk_zero(disk, MIN(size_bytes, UINT64_C(1) << 22) - 100, 100);
}

static void
use_instance(struct prmem_pool *pool, const char *name)
{
	static char buf[MEM_POOL_PAGE];
	struct prmem_instance *inst;
	struct prmem_loan loan;
	xa_entry_t entry;
	uint32_t idx, nr = 0;
	size_t len_bytes;

	if (prmem_get(pool, "test", name, 0, &inst, NULL) < 0)
		return;
	(void)!prmem_get_data(inst, buf, sizeof buf, &len_bytes);
	xa_for_each_range(prmem_xarray(inst), idx, entry, 0, 1u << 20) {
		if (++nr > 64)
			break;
		if (prmem_borrow(inst, idx, &loan) == 0)
			prmem_give_back(inst, &loan);
	}
	prmem_put(inst);
}

static void
use(struct prmem_pool *pool, unsigned int flags)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;
	struct names names = {.nr = 0};

	(void)!prmem_check(pool, &args, sizeof args, &result, sizeof result, NULL);
	prmem_list(pool, NULL, note_name, &names);
	for (uint32_t i = 0; i < names.nr; i++) {
		struct prmem_disk *disk;

		if (prmem_disk_open(pool, names.name[i], &disk, NULL) == 0) {
			use_disk(disk, flags);
			prmem_disk_close(disk);
		}
		use_instance(pool, names.name[i]);
	}
	if (flags & FUZZ_WRITE) {
		(void)!prmem_disk_resize(pool, "a", 5000, true, NULL);
		(void)!prmem_disk_remove(pool, "b", PRMEM_REMOVE_WIPE, NULL, NULL, NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct prmem_pool *pool;
	struct prmem_error err = {0};
	unsigned int flags;
	uint32_t nr_undo;
	int r;

	if (len_bytes == 0 || len_bytes > MAX_INPUT)
		return 0;
	flags = data[0];
	apply(data + 1, len_bytes - 1, flags);
	if (flags & FUZZ_SHORTER)
		sample.mem.pm.len_bytes -= (uint64_t)(data[len_bytes - 1] % 8) * MEM_POOL_PAGE;
	sample.mem.pm.read_only = (flags & FUZZ_READ_ONLY) != 0;
	nr_undo = sample.mem.nr_undo;
	r = mem_pool_open(&sample.mem, &pool, &err);
	if (r < 0) {
		CHECK(err.message[0] != '\0' && strchr(err.message, '\n') == NULL);
		CHECK_EQ(err.code, r);
	} else {
		use(pool, flags);
		prmem_close(pool);
	}
	/* A failed open and a read-only one change nothing. */
	CHECK((r == 0 && !(flags & FUZZ_READ_ONLY)) || sample.mem.nr_undo == nr_undo);
	sample.mem.pm.read_only = false;
	if (r == 0 && (flags & FUZZ_REPAIR) && mem_pool_open(&sample.mem, &pool, NULL) == 0) {
		struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
		struct prmem_check_result result;

		(void)!prmem_repair(pool, &args, sizeof args, &result, sizeof result, NULL);
		prmem_close(pool);
		CHECK_EQ(mem_pool_open(&sample.mem, &pool, NULL), 0);
		use(pool, flags);
		prmem_close(pool);
	}
	sample.mem.pm.len_bytes = SAMPLE_BYTES;
	mem_pm_take_back(&sample.mem);
	return 0;
}

/* A change of 8 bytes, or of a few, where it matters. */
static size_t
random_change(uint8_t *data, size_t max_bytes, uint64_t seed)
{
	uint64_t dice = mix64(seed), value = mix64(seed + 1);
	uint32_t word = (uint32_t)(dice % SAMPLE_WORDS);
	size_t n = dice >> 60 & 1 ? 8 : (dice >> 61) + 1;

	for (uint32_t i = 0; i < 200; i++) {
		const struct part *p = &sample.parts[word];
		uint32_t off = word % 512 * 8;
		bool slot = (p->kind == PART_SLOT || p->kind == PART_DIR_SLOT) && off < 256;
		bool head = (p->kind == PART_SB_A || p->kind == PART_SB_B || p->kind == PART_RECORD) && off < 1024;

		if (slot || head)
			break;
		word = (uint32_t)(mix64(dice + i) % SAMPLE_WORDS);
	}
	if (max_bytes < 4 + n)
		return 0;
	/* Small numbers, page numbers and slots do more than noise. */
	switch (dice >> 56 & 7) {
	case 0:
		value %= 64;
		break;
	case 1:
		value = 0;
		break;
	case 2:
		value = UINT64_MAX >> value % 64;
		break;
	case 3:
		value = (value & ~UINT64_C(0xfffffffff)) | value % 64 |
			(uint64_t)(uint8_t[]){3, 5, 6, 7, 9, 10, 12, 15}[value >> 8 & 7] << 32;
		break;
	case 4:
		memcpy(&value, sample.pristine + value % SAMPLE_WORDS * 8, 8);
		break;
	default:
		break;
	}
	data[0] = (uint8_t)(word / 512);
	data[1] = (uint8_t)(word % 512 * 8);
	data[2] = (uint8_t)(word % 512 * 8 >> 8);
	data[3] = (uint8_t)(n - 1);
	memcpy(data + 4, &value, n);
	return 4 + n;
}

#ifdef POOL_FUZZ_ALONE
static void
run_file(const char *path)
{
	static uint8_t buf[MAX_INPUT];
	FILE *f = fopen(path, "re");
	size_t n;

	CHECK(f != NULL);
	n = fread(buf, 1, sizeof buf, f);
	fclose(f);
	LLVMFuzzerTestOneInput(buf, n);
}

int
main(int argc, char **argv)
{
	static uint8_t buf[MAX_INPUT];
	uint64_t nr = 1000;
	struct timespec now;
	int opt;

	clock_gettime(CLOCK_REALTIME, &now);
	unit_seed = (uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec;
	while ((opt = getopt(argc, argv, "s:n:")) != -1) {
		if (opt == 's') {
			unit_seed = strtoull(optarg, NULL, 0);
		} else if (opt == 'n') {
			nr = strtoull(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: %s [-s seed] [-n number] [file...]\n", argv[0]);
			return 2;
		}
	}
	printf("seed %" PRIu64 " (repeat with -s %" PRIu64 " -n %" PRIu64 ")\n", unit_seed, unit_seed, nr);
	fflush(stdout);
	LLVMFuzzerInitialize(NULL, NULL);
	for (int i = optind; i < argc; i++)
		run_file(argv[i]);
	for (uint64_t i = 0; i < nr; i++) {
		size_t len = 1;

		buf[0] = (uint8_t)unit_random();
		for (uint64_t k = unit_random() % 6 + 1; k > 0; k--)
			len += random_change(buf + len, sizeof buf - len, unit_random());
		LLVMFuzzerTestOneInput(buf, len);
	}
	printf("executions: %" PRIu64 "\n", nr + (uint64_t)(argc - optind));
	return 0;
}
#else
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t len_bytes, size_t max_bytes, unsigned int seed)
{
	uint64_t dice = mix64(seed);

	if (len_bytes == 0 || dice % 4 == 0)
		return LLVMFuzzerMutate(data, len_bytes, max_bytes);
	if (dice >> 8 & 1)
		data[0] = (uint8_t)(dice >> 16);
	if (dice % 4 == 1)
		return LLVMFuzzerMutate(data, len_bytes, max_bytes);
	if (dice >> 9 & 1 && len_bytes > 40)
		len_bytes = 1;
	return len_bytes + random_change(data + len_bytes, max_bytes - len_bytes, dice);
}
#endif
