/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several connections write pages that say what they are; the server is
 * killed; each page has the content last acknowledged, or that of the one
 * request that was under way, whole.
 */
#include <libnbd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/kill/kill.h"
#include "tests/unit/unit.h"

#define PAGE 4096u
#define NR_DISKS 2u
#define NR_PAGES 96u /* of each */
#define NR_THREADS 4u
#define MAX_RUN 4u

/* Of each page; a page belongs to one thread. */
struct page_state {
	uint64_t acked, issued; /* generations; 0: zeroes */
	bool acked_zero, issued_zero; /* a generation that is zeroes */
};

struct writer {
	pthread_t thread;
	uint32_t number;
	uint64_t seed;
	const char *socket;
};

static struct page_state pages[NR_DISKS][NR_PAGES];
static atomic_uint_fast64_t nr_acked;
static char pool_path[100];

uint64_t
load_nr_acked(void)
{
	return nr_acked;
}

/* Every word of a page depends on disk, page and generation, which is the first one. */
static void
fill(uint64_t *words, uint32_t disk, uint32_t page, uint64_t gen)
{
	words[0] = gen;
	for (uint32_t i = 1; i < PAGE / 8; i++)
		words[i] = mix64(gen << 20 ^ disk << 16 ^ page) + i;
}

static struct nbd_handle *
connect_to(const char *socket, uint32_t disk)
{
	struct nbd_handle *nbd = nbd_create();
	char name[16];

	if (nbd == NULL)
		fail("libnbd: %s", nbd_get_error());
	snprintf(name, sizeof name, "pram%u", disk);
	if (nbd_set_export_name(nbd, name) < 0 || nbd_connect_unix(nbd, socket) < 0) {
		nbd_close(nbd);
		return NULL;
	}
	return nbd;
}

static void *
write_until_killed(void *opaque)
{
	static _Thread_local uint64_t buf[MAX_RUN * PAGE / 8];
	struct writer *w = opaque;
	uint32_t disk = w->number % NR_DISKS;
	struct nbd_handle *nbd = connect_to(w->socket, disk);
	uint64_t seed = w->seed;
	int r = 0;

	while (nbd != NULL && r == 0) {
		uint64_t dice = mix64(seed++);
		uint32_t nr = (uint32_t)(dice % MAX_RUN) + 1;
		/* Groups of MAX_RUN pages are dealt out to the threads of a disk. */
		uint32_t first = (uint32_t)((dice >> 8) % (NR_PAGES / MAX_RUN / (NR_THREADS / NR_DISKS))) *
					 (NR_THREADS / NR_DISKS) * MAX_RUN +
				 w->number / NR_DISKS * MAX_RUN;
		bool zero = dice >> 60 == 0;

		for (uint32_t i = 0; i < nr; i++) {
			struct page_state *p = &pages[disk][first + i];

			p->issued++;
			p->issued_zero = zero;
			fill(buf + i * (PAGE / 8), disk, first + i, p->issued);
		}
		if (zero)
			r = nbd_zero(nbd, nr * PAGE, first * (uint64_t)PAGE, 0);
		else
			r = nbd_pwrite(nbd, buf, nr * PAGE, first * (uint64_t)PAGE,
				       dice >> 56 & 1 ? LIBNBD_CMD_FLAG_FUA : 0);
		for (uint32_t i = 0; i < nr && r == 0; i++) {
			struct page_state *p = &pages[disk][first + i];

			p->acked = p->issued;
			p->acked_zero = zero;
		}
		if (r == 0)
			atomic_fetch_add(&nr_acked, 1);
	}
	if (nbd != NULL)
		nbd_close(nbd);
	return NULL;
}

static void
verify_page(uint32_t disk, uint32_t page, const uint64_t *got)
{
	struct page_state *p = &pages[disk][page];
	static const uint64_t zeroes[PAGE / 8];
	static uint64_t want[PAGE / 8];
	bool is_zero = memcmp(got, zeroes, PAGE) == 0;

	if (p->acked != p->issued) {
		fill(want, disk, page, p->issued);
		if (p->issued_zero ? is_zero : memcmp(got, want, PAGE) == 0) {
			p->acked = p->issued;
			p->acked_zero = p->issued_zero;
			return;
		}
	}
	fill(want, disk, page, p->acked);
	if (p->acked_zero || p->acked == 0 ? !is_zero : memcmp(got, want, PAGE) != 0)
		fail("disk %u, page %u: generation %" PRIu64 " was acknowledged, %" PRIu64
		     " issued; it has neither: %" PRIu64,
		     disk, page, p->acked, p->issued, got[0]);
	/* A number is never used twice: issued stays, what was lost stays lost. */
	p->issued_zero = p->acked_zero;
}

static void
verify(const char *socket)
{
	static uint64_t buf[NR_PAGES * PAGE / 8];

	for (uint32_t disk = 0; disk < NR_DISKS; disk++) {
		struct nbd_handle *nbd = connect_to(socket, disk);

		if (nbd == NULL)
			fail("the server does not serve disk %u: %s", disk, nbd_get_error());
		if (nbd_get_size(nbd) != NR_PAGES * PAGE)
			fail("disk %u has %lld bytes", disk, (long long)nbd_get_size(nbd));
		if (nbd_pread(nbd, buf, sizeof buf, 0, 0) < 0)
			fail("disk %u cannot be read: %s", disk, nbd_get_error());
		for (uint32_t page = 0; page < NR_PAGES; page++)
			verify_page(disk, page, buf + page * (PAGE / 8));
		nbd_close(nbd);
	}
}

void
load_cycle(struct kill_test *t, bool early)
{
	struct writer writers[NR_THREADS];
	uint64_t before = nr_acked;
	char param[120], sizes[32], socket[100];
	char *const params[] = {param, (char *)(uintptr_t) "pool-size=2M", sizes, NULL};
	pid_t pid;

	snprintf(pool_path, sizeof pool_path, "%s/load", t->dir);
	snprintf(param, sizeof param, "pool=%s", pool_path);
	snprintf(sizes, sizeof sizes, "sizes=%uK,%uK", NR_PAGES * PAGE / 1024, NR_PAGES * PAGE / 1024);
	pid = start_server(t, params, socket, sizeof socket);
	if (early) {
		kill_after(t, pid, unit_random() % 12000);
		return;
	}
	verify(socket);
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		writers[i] = (struct writer){.number = i, .seed = unit_random(), .socket = socket};
		if (pthread_create(&writers[i].thread, NULL, write_until_killed, &writers[i]) != 0)
			fail("no thread");
	}
	for (unsigned int i = 0; i < 20000 && nr_acked == before; i++)
		usleep(100);
	kill_after(t, pid, unit_random() % 8000);
	for (uint32_t i = 0; i < NR_THREADS; i++)
		pthread_join(writers[i].thread, NULL);
	if (nr_acked == before)
		fail("no write was acknowledged");
}

void
format_cycle(struct kill_test *t)
{
	static uint64_t buf[64 * PAGE / 8];
	char path[100], param[120], socket[100];
	pid_t pid;
	char *const params[] = {param, (char *)(uintptr_t) "pool-size=4M", (char *)(uintptr_t) "sizes=256K,512K,1G",
				NULL};
	static const uint64_t size_bytes[] = {256 << 10, 512 << 10, 1 << 30};

	snprintf(path, sizeof path, "%s/new", t->dir);
	snprintf(param, sizeof param, "pool=%s", path);
	unlink(path);
	for (uint64_t i = unit_random() % 3 + 1; i > 0; i--)
		kill_after(t, start_server(t, params, socket, sizeof socket), unit_random() % 12000);
	pid = start_server(t, params, socket, sizeof socket);
	for (uint32_t disk = 0; disk < 3; disk++) {
		struct nbd_handle *nbd = connect_to(socket, disk);

		if (nbd == NULL)
			fail("a new pool whose making was killed does not serve disk %u: %s", disk, nbd_get_error());
		if (nbd_get_size(nbd) != (int64_t)size_bytes[disk])
			fail("new disk %u has %lld bytes", disk, (long long)nbd_get_size(nbd));
		memset(buf, 1, sizeof buf);
		if (nbd_pread(nbd, buf, sizeof buf, 0, 0) < 0)
			fail("new disk %u cannot be read: %s", disk, nbd_get_error());
		for (uint32_t i = 0; i < sizeof buf / 8; i++) {
			if (buf[i] != 0)
				fail("new disk %u does not read as zeroes", disk);
		}
		nbd_close(nbd);
	}
	kill_after(t, pid, unit_random() % 2000);
}
