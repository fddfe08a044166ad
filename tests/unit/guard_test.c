/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that goes bad under a running pool raises a real SIGBUS: what a page
 * of a file that is too short does.  A window of the pool's mapping is
 * replaced by a mapping of such a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "prmem/alloc/page_alloc.h"
#include "prmem/core/pool.h"
#include "prmem/instance/instance_types.h"
#include "tests/unit/temp_pool.h"
#include "xarray/xa_internal.h"
#include "xarray/xarray_format.h"

#define PAGE PRMEM_PAGE_SIZE

static struct prmem_instance *
inst_of(struct prmem_disk *disk)
{
	return *(struct prmem_instance **)(void *)disk;
}

static uint32_t
pfn_of(struct prmem_disk *disk, uint32_t idx)
{
	xa_entry_t entry = xa_load(&inst_of(disk)->xa, idx);

	CHECK(xa_entry_kind(entry) == XA_KIND_PAGE);
	return xa_entry_payload(entry);
}

/* From now on, to touch the page is SIGBUS. */
static void
break_page(struct prmem_pool *pool, uint32_t pfn)
{
	char name[] = "/dev/shm/prmem-guard-XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	unlink(name);
	CHECK(mmap(pool_page(pool, pfn), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	      pool_page(pool, pfn));
	close(fd);
}

static void
fill(char *buf, char c)
{
	memset(buf, c, PAGE);
}

static uint64_t
nr_bad(struct temp_pool *t)
{
	struct prmem_pool_info info;

	prmem_pool_info(t->pool, &info, sizeof info);
	return info.nr_bad;
}

static void
a_bad_page_is_eio_for_that_request_and_heals_by_a_rewrite(void)
{
	struct prmem_check_args args = {.flags = PRMEM_CHECK_SCRUB};
	struct prmem_check_result result;
	struct prmem_disk *disk;
	struct temp_pool t;
	char buf[PAGE], back[3 * PAGE];
	uint32_t bad;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	disk = temp_disk(&t, "d", 1 << 20);
	for (uint64_t i = 0; i < 3; i++) {
		fill(buf, (char)('a' + i));
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, i * PAGE), 0);
	}
	bad = pfn_of(disk, 1);
	break_page(t.pool, bad);
	CHECK_EQ(prmem_disk_read(disk, back, 3 * PAGE, 0), -EIO);
	CHECK_EQ(prmem_disk_read(disk, back, PAGE, PAGE), -EIO);
	CHECK_EQ(prmem_disk_write(disk, buf, 100, PAGE + 7), -EIO);
	CHECK_EQ(prmem_disk_read(disk, back, PAGE, 0), 0);
	CHECK_EQ(back[0], 'a');
	CHECK_EQ(prmem_disk_read(disk, back, PAGE, 2 * PAGE), 0);
	CHECK_EQ(back[0], 'c');
	CHECK_EQ(nr_bad(&t), 1);

	/* The scrub names it, and lives. */
	CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, NULL), 0);
	CHECK_EQ(result.nr_crc_errors, 1);

	/* A rewrite goes elsewhere. */
	fill(buf, 'B');
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, PAGE), 0);
	CHECK(pfn_of(disk, 1) != bad);
	CHECK_EQ(prmem_disk_read(disk, back, 3 * PAGE, 0), 0);
	CHECK_EQ(back[PAGE], 'B');
	CHECK(!prmem_disk_is_read_only(disk));
	prmem_disk_close(disk);

	/* It stays put aside, and nobody ever gets it. */
	for (int round = 0; round < 2; round++) {
		int r;

		temp_pool_reopen(&t);
		CHECK_EQ(nr_bad(&t), 1);
		disk = temp_disk(&t, "d", 1);
		for (uint64_t i = 0; i < 256; i++) {
			fill(buf, (char)('0' + i % 10 + (unsigned int)round));
			r = prmem_disk_write(disk, buf, PAGE, i * PAGE);
			CHECK(r == 0 || r == -ENOSPC);
			CHECK(r < 0 || pfn_of(disk, (uint32_t)i) != bad);
			if (r < 0)
				break;
		}
		CHECK_EQ(prmem_check(t.pool, &args, sizeof args, &result, sizeof result, NULL), 0);
		CHECK_EQ(result.nr_findings, 0);
		CHECK_EQ(result.nr_leaked, 0);
		CHECK_EQ(prmem_disk_zero(disk, 1 << 20, 0), 0);
		prmem_disk_close(disk);
	}
	temp_pool_remove(&t);
}

static void
a_write_that_meets_bad_memory_takes_another_page(void)
{
	struct prmem_disk *disk;
	struct temp_pool t;
	char buf[4 * PAGE], back[4 * PAGE];

	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	memset(buf, 'x', sizeof buf);
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	/* The first one makes the list of bad pages, whose node would be hit otherwise. */
	break_page(t.pool, pfn_of(disk, 0));
	CHECK_EQ(prmem_disk_read(disk, back, PAGE, 0), -EIO);
	/* All free pages in one stretch behind what is used, every other one bad. */
	for (uint32_t pfn = 64; pfn < 128; pfn += 2) {
		if (!page_is_marked(t.pool->pages, pfn))
			break_page(t.pool, pfn);
	}
	for (uint64_t i = 1; i < 120; i += 4)
		CHECK_EQ(prmem_disk_write(disk, buf, 4 * PAGE, i * PAGE), 0);
	for (uint64_t i = 1; i < 120; i += 4) {
		CHECK_EQ(prmem_disk_read(disk, back, 4 * PAGE, i * PAGE), 0);
		CHECK(memcmp(buf, back, sizeof buf) == 0);
	}
	CHECK(nr_bad(&t) > 10);
	CHECK(!prmem_disk_is_read_only(disk));
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

/* Nodes, records, buffers and runs are written by others than who copies pages of disks. */
static void
nothing_is_made_in_bad_memory(void)
{
	struct prmem_instance *inst;
	struct prmem_pool_info info;
	struct prmem_disk *disk;
	struct temp_pool t;
	xa_entry_t entry;
	char buf[PAGE];
	void *p;

	temp_pool_make(&t, 1 << 20);
	for (uint32_t pfn = 1; pfn < 256; pfn += 2) {
		if (!page_is_marked(t.pool->pages, pfn))
			break_page(t.pool, pfn);
	}
	disk = temp_disk(&t, "d", UINT64_C(8) << 40);
	fill(buf, 'x');
	for (uint64_t i = 0; i < 8; i++)
		CHECK_EQ(prmem_disk_write(disk, buf, PAGE, i << 36), 0);
	CHECK_EQ(prmem_get(t.pool, "test", "i", PRMEM_CREATE, &inst, NULL), 0);
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQ(prmem_alloc(t.pool, 3000, &p), 0);
		memset(p, 'y', 3000);
		CHECK_EQ(prmem_mk_entry(inst, i, p, &entry), 0);
		CHECK_EQ(xa_store(prmem_xarray(inst), i, entry), 0);
	}
	for (uint32_t i = 4; i < 6; i++) {
		CHECK_EQ(prmem_alloc_pages(t.pool, 0, &p), 0);
		memset(p, 'z', PAGE);
		CHECK_EQ(prmem_mk_entry(inst, i, p, &entry), 0);
		CHECK_EQ(xa_store(prmem_xarray(inst), i, entry), 0);
	}
	/* No two sound ones lie side by side. */
	CHECK_EQ(prmem_alloc_pages(t.pool, 1, &p), -ENOSPC);
	prmem_put(inst);
	for (uint64_t i = 0; i < 8; i++) {
		CHECK_EQ(prmem_disk_read(disk, buf, PAGE, i << 36), 0);
		CHECK_EQ(buf[100], 'x');
	}
	prmem_disk_close(disk);
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK(!info.read_only);
	CHECK(info.nr_bad > 20);
	temp_pool_remove(&t);
}

static void
a_bad_node_costs_the_writing_not_the_process(void)
{
	struct prmem_pool_info info;
	struct prmem_disk *disk, *other;
	struct temp_pool t;
	char buf[PAGE];
	xa_entry_t entry;
	uint32_t node;

	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	other = temp_disk(&t, "other", 1 << 20);
	fill(buf, 'x');
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	CHECK_EQ(prmem_disk_write(other, buf, PAGE, 0), 0);
	node = (uint32_t)atomic_load(&inst_of(disk)->xa.root);
	break_page(t.pool, node);
	/* Outside of a window. */
	entry = xa_load(&inst_of(disk)->xa, 0);
	CHECK(xa_is_err(entry));
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, PAGE), -EROFS);
	CHECK_EQ(prmem_disk_read(disk, buf, PAGE, 0), -EIO);
	CHECK_EQ(prmem_disk_read(other, buf, PAGE, 0), 0);
	CHECK_EQ(buf[0], 'x');
	prmem_pool_info(t.pool, &info, sizeof info);
	CHECK(info.read_only && strstr(info.read_only_why, "memory") != NULL);
	prmem_disk_close(disk);
	prmem_disk_close(other);
	temp_pool_remove(&t);
}

static void
a_file_cut_short_under_us_is_eio(void)
{
	struct prmem_disk *disk;
	struct temp_pool t;
	char buf[PAGE];
	uint64_t nr = 0, nr_ok = 0, nr_eio = 0;

	temp_pool_make(&t, 1 << 20);
	disk = temp_disk(&t, "d", 1 << 20);
	fill(buf, 'x');
	while (prmem_disk_write(disk, buf, PAGE, nr * PAGE) == 0)
		nr++;
	CHECK_EQ(truncate(t.path, 512 << 10), 0);
	for (uint64_t i = 0; i < nr; i++) {
		int r = prmem_disk_read(disk, buf, PAGE, i * PAGE);

		CHECK(r == 0 || r == -EIO);
		nr_ok += r == 0;
		nr_eio += r == -EIO;
	}
	CHECK(nr_ok > 0 && nr_eio > 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
}

static void
a_fault_elsewhere_is_not_ours(void)
{
	struct temp_pool t;
	char name[] = "/dev/shm/prmem-guard-XXXXXX";
	struct rlimit no_core = {0, 0};
	int status;
	pid_t pid;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	pid = fork();
	if (pid == 0) {
		int fd = mkstemp(name);
		char *p;

		setrlimit(RLIMIT_CORE, &no_core);
		unlink(name);
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		_exit(*(volatile char *)p);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	/* A sanitizer has a handler of its own, which reports it. */
	CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) || getenv("PRMEM_SANITIZERS") != NULL);
	CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	temp_pool_remove(&t);
}

/* ---- whose signal it is ---- */

static struct sigaction
action_now(void)
{
	struct sigaction a;

	CHECK_EQ(sigaction(SIGBUS, NULL, &a), 0);
	return a;
}

static bool
same_action(struct sigaction a, struct sigaction b)
{
	return a.sa_handler == b.sa_handler && a.sa_flags == b.sa_flags;
}

static volatile sig_atomic_t nr_seen;
static struct sigaction covered; /* what there was before chaining() */

/* A handler as programs write them: what it does not know goes to the one before. */
static void
chaining(int signo, siginfo_t *info, void *context)
{
	nr_seen++;
	if ((covered.sa_flags & SA_SIGINFO) != 0)
		covered.sa_sigaction(signo, info, context);
	else
		sigaction(signo, &covered, NULL);
}

static void
counting(int signo)
{
	(void)signo;
	nr_seen++;
}

/* Without SA_NODEFER, and with another signal blocked. */
static void
install_chaining(void)
{
	struct sigaction a = {.sa_sigaction = chaining, .sa_flags = SA_SIGINFO};

	nr_seen = 0;
	sigaddset(&a.sa_mask, SIGUSR1);
	CHECK_EQ(sigaction(SIGBUS, &a, &covered), 0);
}

/* Run @fn in a process of its own, with SIGBUS as it is in a new one.  Return: its wait status. */
static int
status_of(void (*fn)(void))
{
	const struct rlimit no_core = {0, 0};
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGBUS, SIG_DFL);
		alarm(10);
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static bool
dies_of_sigbus(void (*fn)(void))
{
	int status = status_of(fn);

	return WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
}

static bool
lives(void (*fn)(void))
{
	int status = status_of(fn);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
fault_elsewhere(void)
{
	char name[] = "/dev/shm/prmem-guard-XXXXXX";
	int fd = mkstemp(name);
	char *p;

	CHECK(fd >= 0);
	unlink(name);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	close(fd);
	(void)*(volatile char *)p;
}

/* A pool whose disk has a page, of bad memory. */
static struct prmem_disk *
disk_with_a_bad_page(struct temp_pool *t)
{
	struct prmem_disk *disk = temp_disk(t, "d", 1 << 20);
	char buf[PAGE];

	fill(buf, 'x');
	CHECK_EQ(prmem_disk_write(disk, buf, PAGE, 0), 0);
	break_page(t->pool, pfn_of(disk, 0));
	return disk;
}

static int
read_first(struct prmem_disk *disk)
{
	char buf[PAGE];

	return prmem_disk_read(disk, buf, PAGE, 0);
}

/* Without the name: a process that dies leaves nothing behind. */
static void
make_nameless(struct temp_pool *t, unsigned int flags)
{
	struct prmem_open_args args = {.flags = flags, .pool_size_bytes = PRMEM_POOL_SIZE_MIN};

	temp_pool_make(t, PRMEM_POOL_SIZE_MIN);
	prmem_close(t->pool);
	args.path = t->path;
	CHECK_EQ(prmem_open(&args, sizeof args, &t->pool, NULL), 0);
	unlink(t->path);
	rmdir(t->dir);
}

static void
the_signal_is_ours_from_the_first_open_to_the_last_close(void)
{
	struct sigaction before = action_now(), during;
	struct temp_pool a, b;

	temp_pool_make(&a, PRMEM_POOL_SIZE_MIN);
	during = action_now();
	CHECK(!same_action(before, during));
	temp_pool_make(&b, PRMEM_POOL_SIZE_MIN);
	CHECK(same_action(action_now(), during));
	temp_pool_remove(&a);
	CHECK(same_action(action_now(), during));
	temp_pool_remove(&b);
	CHECK(same_action(action_now(), before));
	/* An open that fails gives it back, too. */
	CHECK_EQ(prmem_open(&(struct prmem_open_args){.path = "/dev/null"}, sizeof(struct prmem_open_args), &a.pool,
			    NULL),
		 -EINVAL);
	CHECK(same_action(action_now(), before));
}

static void
a_handler_that_was_installed_after_ours_stays(void)
{
	struct sigaction before = action_now(), ours, theirs;
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	ours = action_now();
	install_chaining();
	theirs = action_now();
	/* Also beside another pool that comes and goes. */
	temp_pool_reopen(&t);
	CHECK(same_action(action_now(), ours));
	CHECK_EQ(sigaction(SIGBUS, &theirs, NULL), 0);
	temp_pool_remove(&t);
	CHECK(same_action(action_now(), theirs));

	/* The next pool covers it, and uncovers it. */
	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	CHECK(same_action(action_now(), ours));
	temp_pool_remove(&t);
	CHECK(same_action(action_now(), theirs));
	CHECK_EQ(sigaction(SIGBUS, &before, NULL), 0);
}

static void
a_handler_over_ours_hands_on_what_is_ours(void)
{
	struct sigaction before = action_now();
	struct prmem_disk *disk;
	struct temp_pool t;
	sigset_t mask;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	disk = disk_with_a_bad_page(&t);
	install_chaining();
	for (int i = 1; i < 4; i++) {
		CHECK_EQ(read_first(disk), -EIO);
		CHECK_EQ(nr_seen, i);
	}
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	CHECK(!sigismember(&mask, SIGBUS) && !sigismember(&mask, SIGUSR1));
	CHECK_EQ(sigaction(SIGBUS, &covered, NULL), 0);
	prmem_disk_close(disk);
	temp_pool_remove(&t);
	CHECK(same_action(action_now(), before));
}

static void
fault_elsewhere_below_a_handler(void)
{
	struct temp_pool t;

	make_nameless(&t, 0);
	install_chaining();
	fault_elsewhere();
}

static void
fault_elsewhere_with_a_handler_between(void)
{
	struct temp_pool t;

	make_nameless(&t, 0);
	install_chaining();
	prmem_close(t.pool);
	make_nameless(&t, 0);
	fault_elsewhere();
}

static void
fault_elsewhere_after_the_handler_over_ours_went(void)
{
	struct temp_pool t;

	make_nameless(&t, 0);
	install_chaining();
	prmem_close(t.pool);
	CHECK_EQ(sigaction(SIGBUS, &covered, NULL), 0);
	make_nameless(&t, 0);
	fault_elsewhere();
}

static void
end_well(int signo)
{
	(void)signo;
	_exit(0);
}

/* The first handler of all gets it in the end. */
static void
fault_elsewhere_with_handlers_all_around(void)
{
	signal(SIGBUS, end_well);
	fault_elsewhere_with_a_handler_between();
	_exit(1);
}

static void
a_fault_of_nobodys_ends_the_process_whoever_is_in_the_chain(void)
{
	CHECK(dies_of_sigbus(fault_elsewhere));
	CHECK(dies_of_sigbus(fault_elsewhere_below_a_handler));
	CHECK(dies_of_sigbus(fault_elsewhere_with_a_handler_between));
	CHECK(dies_of_sigbus(fault_elsewhere_after_the_handler_over_ours_went));
	CHECK(lives(fault_elsewhere_with_handlers_all_around));
}

static void
be_sent_one(void)
{
	struct temp_pool t;

	make_nameless(&t, 0);
	raise(SIGBUS);
}

static void
be_sent_one_below_a_handler(void)
{
	struct temp_pool t;

	make_nameless(&t, 0);
	install_chaining();
	raise(SIGBUS);
}

static void
be_sent_one_that_is_ignored(void)
{
	struct prmem_disk *disk;
	struct temp_pool t;

	signal(SIGBUS, SIG_IGN);
	make_nameless(&t, 0);
	disk = disk_with_a_bad_page(&t);
	raise(SIGBUS);
	CHECK_EQ(read_first(disk), -EIO);
}

static void
be_sent_one_that_is_counted(void)
{
	struct prmem_disk *disk;
	struct temp_pool t;

	signal(SIGBUS, counting);
	make_nameless(&t, 0);
	disk = disk_with_a_bad_page(&t);
	for (int i = 1; i < 4; i++) {
		raise(SIGBUS);
		CHECK_EQ(nr_seen, i);
		CHECK_EQ(read_first(disk), -EIO);
	}
	CHECK_EQ(nr_seen, 3);
}

static void
a_signal_that_was_sent_does_what_it_did_before(void)
{
	nr_seen = 0;
	CHECK(dies_of_sigbus(be_sent_one));
	CHECK(dies_of_sigbus(be_sent_one_below_a_handler));
	CHECK(lives(be_sent_one_that_is_ignored));
	CHECK(lives(be_sent_one_that_is_counted));
}

/* ---- without the handler ---- */

static void
read_bad_memory_unguarded(void)
{
	struct temp_pool t;

	make_nameless(&t, PRMEM_NO_SIGBUS);
	(void)read_first(disk_with_a_bad_page(&t));
}

/* The handler that another pool has installed is not for this one. */
static void
read_bad_memory_unguarded_beside_a_guarded_pool(void)
{
	struct temp_pool t, guarded;

	make_nameless(&guarded, 0);
	CHECK_EQ(read_first(disk_with_a_bad_page(&guarded)), -EIO);
	make_nameless(&t, PRMEM_NO_SIGBUS);
	(void)read_first(disk_with_a_bad_page(&t));
}

/* The index, too: nothing is put in the place of what is gone. */
static void
walk_a_bad_node_unguarded(void)
{
	struct prmem_disk *disk;
	struct temp_pool t;

	make_nameless(&t, PRMEM_NO_SIGBUS);
	disk = disk_with_a_bad_page(&t);
	break_page(t.pool, (uint32_t)atomic_load(&inst_of(disk)->xa.root));
	(void)read_first(disk);
}

static sigjmp_buf to_safety;
static void *fault_addr;

static void
jump(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	fault_addr = info->si_addr;
	siglongjmp(to_safety, 1);
}

/* What the jump leaves is never ended, so that the pool cannot be closed: it goes with the process. */
static void
handle_it_ourselves(void)
{
	struct sigaction before = action_now(), a = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};
	struct prmem_disk *disk;
	struct temp_pool t;

	make_nameless(&t, PRMEM_NO_SIGBUS);
	CHECK(same_action(action_now(), before));
	disk = disk_with_a_bad_page(&t);
	CHECK_EQ(sigaction(SIGBUS, &a, NULL), 0);
	before = action_now();
	if (sigsetjmp(to_safety, 1) == 0) {
		(void)read_first(disk);
		CHECK(!"read");
	}
	CHECK(fault_addr == pool_page(t.pool, pfn_of(disk, 0)));
	CHECK(same_action(action_now(), before));
	CHECK_EQ(nr_bad(&t), 0);
}

static void
a_pool_without_the_handler_leaves_the_signal_alone(void)
{
	struct sigaction before = action_now();
	struct prmem_open_args args = {.flags = PRMEM_NO_SIGBUS};
	struct temp_pool t;

	temp_pool_make(&t, PRMEM_POOL_SIZE_MIN);
	prmem_close(t.pool);
	args.path = t.path;
	CHECK_EQ(prmem_open(&args, sizeof args, &t.pool, NULL), 0);
	CHECK(same_action(action_now(), before));
	temp_pool_remove(&t);
	CHECK(same_action(action_now(), before));
	CHECK(lives(handle_it_ourselves));
}

static void
memory_that_goes_bad_without_the_handler_ends_the_process(void)
{
	CHECK(dies_of_sigbus(read_bad_memory_unguarded));
	CHECK(dies_of_sigbus(read_bad_memory_unguarded_beside_a_guarded_pool));
	CHECK(dies_of_sigbus(walk_a_bad_node_unguarded));
}

UNIT_MAIN(CASE(a_bad_page_is_eio_for_that_request_and_heals_by_a_rewrite),
	  CASE(a_write_that_meets_bad_memory_takes_another_page), CASE(nothing_is_made_in_bad_memory),
	  CASE(a_bad_node_costs_the_writing_not_the_process), CASE(a_file_cut_short_under_us_is_eio),
	  CASE(a_fault_elsewhere_is_not_ours), CASE(the_signal_is_ours_from_the_first_open_to_the_last_close),
	  CASE(a_handler_that_was_installed_after_ours_stays), CASE(a_handler_over_ours_hands_on_what_is_ours),
	  CASE(a_fault_of_nobodys_ends_the_process_whoever_is_in_the_chain),
	  CASE(a_signal_that_was_sent_does_what_it_did_before),
	  CASE(memory_that_goes_bad_without_the_handler_ends_the_process),
	  CASE(a_pool_without_the_handler_leaves_the_signal_alone))
