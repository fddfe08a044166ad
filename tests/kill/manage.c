/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of disks and of the pool, by a process that calls the library and is
 * killed: after that the pool has what it had before or after the change.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prmem/prmem.h"
#include "tests/kill/kill.h"
#include "tests/unit/unit.h"

#define NR_NAMES 6u
#define MAX_POOL_BYTES (16u << 20)
#define MAX_GROWN 8u /* a pool that is open grows a few times only */

struct model {
	uint64_t disk_bytes[NR_NAMES]; /* 0: it is not there */
	uint64_t pool_bytes;
};

/* Shared with the child: what is, and what is being made of it. */
struct shared {
	struct model now, next;
	atomic_bool pending;
	char what[80];
};

static struct shared *shared;
static unsigned int nr_grown; /* by this process */
static char path[100];

static struct prmem_pool *
open_pool(uint64_t new_bytes)
{
	struct prmem_open_args args = {.path = path, .pool_size_bytes = new_bytes, .nr_mark_threads = 1};
	struct prmem_pool *pool;
	struct prmem_error err;

	if (prmem_open(&args, sizeof args, &pool, &err) < 0)
		fail("after %s: %s", shared->what, err.message);
	return pool;
}

/* The next change, said before it is made. */
static void
change(struct prmem_pool *pool, uint64_t dice)
{
	uint32_t i = (uint32_t)(dice % NR_NAMES);
	uint64_t size_bytes = (dice >> 8) % (8 << 20) + 1;
	char name[8], other[8];
	struct prmem_error err = {0};
	int r;

	snprintf(name, sizeof name, "d%u", i);
	shared->next = shared->now;
	if (dice >> 40 & 1 && shared->now.pool_bytes < MAX_POOL_BYTES && nr_grown < MAX_GROWN) {
		nr_grown++;
		shared->next.pool_bytes += ((dice >> 42) % 64 + 1) * 4096;
		snprintf(shared->what, sizeof shared->what, "grow");
		atomic_store(&shared->pending, true);
		r = prmem_grow(pool, shared->next.pool_bytes, &err);
	} else if (shared->now.disk_bytes[i] == 0) {
		struct prmem_disk_args args = {.name = name, .size_bytes = size_bytes};

		shared->next.disk_bytes[i] = size_bytes;
		snprintf(shared->what, sizeof shared->what, "create %s", name);
		atomic_store(&shared->pending, true);
		r = prmem_disk_create(pool, &args, sizeof args, &err);
	} else if (dice >> 44 & 1) {
		shared->next.disk_bytes[i] = size_bytes;
		snprintf(shared->what, sizeof shared->what, "resize %s", name);
		atomic_store(&shared->pending, true);
		r = prmem_disk_resize(pool, name, size_bytes, true, &err);
	} else if (dice >> 45 & 1) {
		struct prmem_instance *inst;
		uint32_t k = (i + 1) % NR_NAMES;

		if (shared->now.disk_bytes[k] != 0)
			return;
		shared->next.disk_bytes[k] = shared->next.disk_bytes[i];
		shared->next.disk_bytes[i] = 0;
		snprintf(other, sizeof other, "d%u", k);
		snprintf(shared->what, sizeof shared->what, "rename %s to %s", name, other);
		atomic_store(&shared->pending, true);
		r = prmem_get(pool, PRMEM_SUBSYSTEM_RAMDISK, name, 0, &inst, &err);
		if (r == 0) {
			r = prmem_rename(inst, other, &err);
			prmem_put(inst);
		}
	} else {
		shared->next.disk_bytes[i] = 0;
		snprintf(shared->what, sizeof shared->what, "remove %s", name);
		atomic_store(&shared->pending, true);
		r = prmem_disk_remove(pool, name, dice >> 46 & 1 ? PRMEM_REMOVE_WIPE : 0, NULL, NULL, &err);
	}
	if (r < 0)
		fail("%s: %s", shared->what, err.message);
	shared->now = shared->next;
	atomic_store(&shared->pending, false);
}

/* Something in a disk, so that resize and remove have work to do. */
static void
write_somewhere(struct prmem_pool *pool, uint64_t dice)
{
	static char buf[8192];
	struct prmem_disk *disk;
	char name[8];

	snprintf(name, sizeof name, "d%u", (uint32_t)(dice % NR_NAMES));
	if (prmem_disk_open(pool, name, &disk, NULL) < 0)
		return;
	memset(buf, (int)(dice >> 8 | 1), sizeof buf);
	if (prmem_disk_size(disk) > sizeof buf)
		(void)!prmem_disk_write(disk, buf, sizeof buf, (dice >> 16) % (prmem_disk_size(disk) - sizeof buf));
	prmem_disk_close(disk);
}

static void __attribute__((noreturn)) change_until_killed(uint64_t seed)
{
	struct prmem_pool *pool = open_pool(0);

	for (;;) {
		write_somewhere(pool, mix64(seed++));
		change(pool, mix64(seed++));
	}
}

static int
note_disk(void *opaque, const struct prmem_instance_info *info)
{
	struct model *found = opaque;
	uint32_t i = (uint32_t)(info->name[1] - '0');

	if (info->name[0] != 'd' || i >= NR_NAMES || info->name[2] != '\0')
		fail("after %s: there is a disk %s", shared->what, info->name);
	found->disk_bytes[i] = info->size_bytes;
	return 0;
}

static void
look(void)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;
	struct model found = {0};
	struct prmem_pool_info info;
	struct prmem_pool *pool = open_pool(0);

	prmem_pool_info(pool, &info, sizeof info);
	found.pool_bytes = info.size_bytes;
	prmem_list(pool, PRMEM_SUBSYSTEM_RAMDISK, note_disk, &found);
	if (memcmp(&found, &shared->now, sizeof found) != 0 &&
	    !(shared->pending && memcmp(&found, &shared->next, sizeof found) == 0))
		fail("after %s: the pool is neither as before nor as after", shared->what);
	if (info.read_only)
		fail("after %s: the pool is read-only: %s", shared->what, info.read_only_why);
	if (prmem_check(pool, &args, sizeof args, &result, sizeof result, NULL) < 0 || result.nr_findings != 0 ||
	    result.nr_leaked != 0)
		fail("after %s: %llu findings, %llu pages leaked", shared->what, (unsigned long long)result.nr_findings,
		     (unsigned long long)result.nr_leaked);
	shared->now = found;
	shared->pending = false;
	prmem_close(pool);
}

/* In a process of its own: this one goes on forking. */
static pid_t
run(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		fail("no process");
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, SIG_DFL);
	if (fn != NULL) {
		fn();
		_exit(0);
	}
	change_until_killed(unit_random());
}

static void
make_pool(void)
{
	prmem_close(open_pool(512 << 10));
}

static void
run_to_end(void (*fn)(void))
{
	int status;

	if (waitpid(run(fn), &status, 0) < 0 || status != 0)
		fail("after %s: status %d", shared->what, status);
}

void
manage_cycle(struct kill_test *t)
{
	int status;

	if (shared == NULL) {
		shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED)
			fail("no memory");
		snprintf(path, sizeof path, "%s/manage", t->dir);
	}
	if (shared->now.pool_bytes == 0 || shared->now.pool_bytes >= MAX_POOL_BYTES) {
		unlink(path);
		memset(shared, 0, sizeof *shared);
		shared->now.pool_bytes = 512 << 10;
		run_to_end(make_pool);
	}
	status = kill_after(t, run(NULL), unit_random() % 6000);
	unit_random(); /* the child took one */
	if (!WIFSIGNALED(status))
		fail("%s: failed before it was killed", shared->what);
	run_to_end(look);
}
