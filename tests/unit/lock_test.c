/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One server a pool (promise P6): processes that die, fork, are stopped, only
 * read, come by another name, or come all at once.
 */
#include "tests/unit/pool_file.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "prmem/memory/lock_holder.h"

#define OWNER_OFF ((uint64_t)SB_PFN_OWNER * 4096)

/* A process that has a pool open, until it is told to close it or dies. */
struct holder {
	pid_t pid;
	int tell; /* closed: close the pool and exit */
};

/* Run by the child when the pool is open. */
typedef void (*holder_fn)(struct prmem_pool *pool);

static struct holder
hold(const char *path, bool read_only, holder_fn fn)
{
	struct holder h;
	int to[2], from[2];
	char byte;

	fflush(stdout);
	CHECK_EQ(pipe2(to, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(from, O_CLOEXEC), 0);
	h.pid = fork();
	CHECK(h.pid >= 0);
	if (h.pid == 0) {
		struct prmem_pool *pool;

		/* Never outlive the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		pool = must_open(path, .read_only = read_only);
		if (fn != NULL)
			fn(pool);
		if (write(from[1], "x", 1) != 1)
			_exit(1);
		while (read(to[0], &byte, 1) > 0)
			;
		prmem_close(pool);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	h.tell = to[1];
	CHECK_EQ(read(from[0], &byte, 1), 1);
	close(from[0]);
	return h;
}

static void
reap(struct holder *h)
{
	int status;

	close(h->tell);
	CHECK_EQ(waitpid(h->pid, &status, 0), h->pid);
}

static void
kill_and_reap(struct holder *h)
{
	CHECK_EQ(kill(h->pid, SIGKILL), 0);
	reap(h);
}

/* Both ways to open it are refused, and the message names this process. */
static void
refused_by(const char *path, pid_t pid, const char *fragment)
{
	struct prmem_pool *pool = NULL;
	char text[48];

	snprintf(text, sizeof text, "%s process %d (", fragment, (int)pid);
	for (int read_only = 0; read_only < 2; read_only++) {
		CHECK_EQ(try_open(path, &pool, .read_only = read_only), -EBUSY);
		if (strstr(said.message, text) == NULL)
			fprintf(stderr, "\"%s\" is not in \"%s\"\n", text, said.message);
		CHECK(strstr(said.message, text) != NULL);
	}
	CHECK(pool == NULL);
}

static void
opens(const char *path)
{
	struct prmem_pool *pool = must_open(path, );

	CHECK(has_instance(pool));
	prmem_close(pool);
}

static struct owner_media
record_of(const char *path)
{
	struct owner_media rec;

	read_at(path, OWNER_OFF, &rec, sizeof rec);
	CHECK_EQ(le64_to_cpu(rec.magic), OWNER_MAGIC);
	CHECK_EQ(le32_to_cpu(rec.crc), crc32c(0, &rec, offsetof(struct owner_media, crc)));
	return rec;
}

static void
put_record(const char *path, struct owner_media rec)
{
	rec.crc = cpu_to_le32(crc32c(0, &rec, offsetof(struct owner_media, crc)));
	write_at(path, OWNER_OFF, &rec, sizeof rec);
}

static void
a_second_process_is_refused_by_the_holders_pid(void)
{
	const char *path;
	struct holder h;
	struct digest before;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	h = hold(path, false, NULL);
	before = digest_of(path);
	refused_by(path, h.pid, "in use by");
	CHECK(same(before, digest_of(path)));
	reap(&h);
	opens(path);
	work_dir_remove();
}

static void
the_same_process_is_refused_too(void)
{
	struct prmem_pool *pool, *second = NULL;
	const char *path;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	pool = must_open(path, );
	CHECK_EQ(try_open(path, &second, ), -EBUSY);
	CHECK(strstr(said.message, "this process") != NULL);
	prmem_close(pool);
	opens(path);
	work_dir_remove();
}

static void
the_lock_dies_with_its_holder(void)
{
	const char *path;
	struct holder h;
	uint64_t start;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	h = hold(path, false, NULL);
	kill_and_reap(&h);
	CHECK_EQ(le64_to_cpu(record_of(path).pid), h.pid);
	opens(path);

	/* Nobody has asked for its exit status yet: it is gone all the same. */
	h = hold(path, false, NULL);
	CHECK_EQ(holder_start_time(h.pid, &start), 0);
	CHECK_EQ(kill(h.pid, SIGKILL), 0);
	for (int i = 0; i < 10000 && holder_start_time(h.pid, &start) == 0; i++)
		usleep(1000);
	CHECK_EQ(holder_start_time(h.pid, &start), -ESRCH);
	opens(path);
	reap(&h);
	work_dir_remove();
}

static void
a_stopped_holder_still_excludes(void)
{
	const char *path;
	struct holder h;
	int status;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	h = hold(path, false, NULL);
	CHECK_EQ(kill(h.pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(h.pid, &status, WUNTRACED), h.pid);
	CHECK(WIFSTOPPED(status));
	refused_by(path, h.pid, "in use by");
	CHECK_EQ(kill(h.pid, SIGCONT), 0);
	reap(&h);
	opens(path);
	work_dir_remove();
}

/* What nbdkit does: open, fork, the parent exits, the child serves. */
static int child_pid_pipe[2];

static void
fork_and_go_on(struct prmem_pool *pool)
{
	pid_t child = fork();

	if (child < 0)
		_exit(1);
	if (child > 0) {
		/* The child tells by its own pipe that it is ready. */
		if (write(child_pid_pipe[1], &child, sizeof child) != sizeof child)
			_exit(1);
		pause();
		_exit(0);
	}
	prctl(PR_SET_PDEATHSIG, 0);
	prmem_after_fork(pool);
}

static void
a_child_goes_on_with_the_lock(void)
{
	const char *path;
	struct holder h;
	pid_t child;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	for (int read_only = 0; read_only < 2; read_only++) {
		struct prmem_pool *pool = NULL;
		char text[48];

		CHECK_EQ(pipe2(child_pid_pipe, O_CLOEXEC), 0);
		h = hold(path, read_only, fork_and_go_on);
		CHECK_EQ(read(child_pid_pipe[0], &child, sizeof child), sizeof child);
		CHECK(child != h.pid);
		CHECK_EQ(kill(h.pid, SIGKILL), 0);
		CHECK_EQ(waitpid(h.pid, NULL, 0), h.pid);
		snprintf(text, sizeof text, "in use by process %d (", (int)child);
		CHECK_EQ(try_open(path, &pool, ), -EBUSY);
		if (strstr(said.message, text) == NULL)
			fprintf(stderr, "\"%s\" is not in \"%s\"\n", text, said.message);
		CHECK(strstr(said.message, text) != NULL);
		if (!read_only)
			CHECK_EQ(le64_to_cpu(record_of(path).pid), child);

		/* It closes the pool when it is told to; it is no child of ours to wait for. */
		close(h.tell);
		for (int i = 0; i < 10000 && kill(child, 0) == 0; i++)
			usleep(1000);
		opens(path);
		CHECK_EQ(le64_to_cpu(record_of(path).pid), 0);
		close(child_pid_pipe[0]);
		close(child_pid_pipe[1]);
	}
	work_dir_remove();
}

static void
readers_share_and_keep_writers_out(void)
{
	struct prmem_pool *pool = NULL;
	const char *path;
	struct holder a, b;
	struct digest before;
	char text_a[48], text_b[48];

	work_dir_make(NULL);
	path = make_pool_file("pool");
	before = digest_of(path);
	a = hold(path, true, NULL);
	b = hold(path, true, NULL);
	prmem_close(must_open(path, .read_only = true));
	CHECK_EQ(try_open(path, &pool, ), -EBUSY);
	snprintf(text_a, sizeof text_a, "in use by process %d (", (int)a.pid);
	snprintf(text_b, sizeof text_b, "in use by process %d (", (int)b.pid);
	CHECK(strstr(said.message, text_a) != NULL || strstr(said.message, text_b) != NULL);
	kill_and_reap(&a);
	CHECK_EQ(try_open(path, &pool, ), -EBUSY);
	CHECK(strstr(said.message, text_b) != NULL);
	kill_and_reap(&b);
	CHECK(same(before, digest_of(path)));
	opens(path);
	work_dir_remove();
}

static void
another_name_of_the_file_is_the_same_pool(void)
{
	const char *path;
	struct holder h;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	CHECK_EQ(link(path, in_dir("link")), 0);
	CHECK_EQ(symlink(path, in_dir("symlink")), 0);
	h = hold(path, false, NULL);
	refused_by(in_dir("link"), h.pid, "in use by");
	refused_by(in_dir("symlink"), h.pid, "in use by");
	reap(&h);
	opens(in_dir("link"));
	work_dir_remove();
}

/*
 * A second device node of the same memory has an inode and so a flock() of its
 * own.  A copy of a file that is in use is the same thing here: its lock is
 * free and its owner record names a living process.
 */
static void
the_owner_record_excludes_where_flock_cannot(void)
{
	static char content[POOL_BYTES];
	struct owner_media rec;
	const char *path, *copy;
	struct holder h;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	copy = in_dir("copy");
	h = hold(path, false, NULL);
	read_at(path, 0, content, sizeof content);
	write_at(copy, 0, content, sizeof content);
	refused_by(copy, h.pid, "in use by");
	CHECK(strstr(said.message, "by another name of the same memory") != NULL);
	rec = record_of(copy);
	CHECK_EQ(le64_to_cpu(rec.pid), h.pid);
	CHECK(le64_to_cpu(rec.nonce) != 0);

	/* Another boot, another process of the same number, a damaged record: nobody. */
	rec.boot_id[3] ^= 1;
	put_record(copy, rec);
	opens(copy);
	rec.boot_id[3] ^= 1;
	rec.start_time = cpu_to_le64(le64_to_cpu(rec.start_time) + 1);
	put_record(copy, rec);
	opens(copy);
	rec.start_time = cpu_to_le64(le64_to_cpu(rec.start_time) - 1);
	put_record(copy, rec);
	refused_by(copy, h.pid, "in use by");
	flip(copy, OWNER_OFF + 44);
	opens(copy);
	rec.pid = cpu_to_le64(UINT64_MAX);
	put_record(copy, rec);
	opens(copy);
	rec.pid = cpu_to_le64(UINT64_C(1) << 32 | (uint64_t)h.pid);
	put_record(copy, rec);
	opens(copy);

	write_at(copy, 0, content, sizeof content);
	kill_and_reap(&h);
	opens(copy);
	work_dir_remove();
}

static void
a_clean_close_clears_the_record(void)
{
	struct owner_media first, open_now, closed;
	struct prmem_pool *pool;
	const char *path;
	uint64_t start;

	work_dir_make(NULL);
	path = make_pool_file("pool");
	first = record_of(path);
	CHECK_EQ(le64_to_cpu(first.pid), 0);
	pool = must_open(path, );
	open_now = record_of(path);
	CHECK_EQ(le64_to_cpu(open_now.pid), getpid());
	CHECK_EQ(holder_start_time(getpid(), &start), 0);
	CHECK_EQ(le64_to_cpu(open_now.start_time), start);
	CHECK(le64_to_cpu(open_now.nonce) != le64_to_cpu(first.nonce));
	CHECK(!mem_is_zero(open_now.boot_id, sizeof open_now.boot_id));
	prmem_close(pool);
	closed = record_of(path);
	CHECK_EQ(le64_to_cpu(closed.pid), 0);
	CHECK_EQ(le64_to_cpu(closed.nonce), le64_to_cpu(open_now.nonce));
	work_dir_remove();
}

/* A name may hold what /proc/PID/stat is parsed by, and what a message must not have. */
static void
rename_itself(struct prmem_pool *pool)
{
	(void)pool;
	prctl(PR_SET_NAME, "x) Z 1 (\n\x1b[1m");
}

static void
an_odd_process_name_does_no_harm(void)
{
	const char *path;
	struct holder h;
	char name[32];

	work_dir_make(NULL);
	path = make_pool_file("pool");
	h = hold(path, false, rename_itself);
	refused_by(path, h.pid, "in use by");
	holder_name(h.pid, name, sizeof name);
	for (const char *p = name; *p != '\0'; p++)
		CHECK(*p >= ' ' && *p < 127);
	reap(&h);
	work_dir_remove();
}

static void
of_many_that_make_one_pool_one_has_it(void)
{
	enum { NR = 8 };

	work_dir_make(NULL);
	for (int round = 0; round < 10; round++) {
		const char *path = in_dir("new");
		int go[2], done[2], nr_open = 0, nr_busy = 0;
		pid_t pids[NR];
		char byte;

		fflush(stdout);
		CHECK_EQ(pipe2(go, O_CLOEXEC), 0);
		CHECK_EQ(pipe2(done, O_CLOEXEC), 0);
		for (int i = 0; i < NR; i++) {
			pids[i] = fork();
			CHECK(pids[i] >= 0);
			if (pids[i] == 0) {
				struct prmem_pool *pool;
				int r;

				prctl(PR_SET_PDEATHSIG, SIGKILL);
				close(go[1]);
				if (read(go[0], &byte, 1) != 0)
					_exit(1);
				r = try_open(path, &pool, .size_bytes = POOL_BYTES);
				byte = r == 0 ? 'o' : r == -EBUSY ? 'b' : '?';
				if (byte == '?')
					fprintf(stderr, "%s\n", said.message);
				if (write(done[1], &byte, 1) != 1)
					_exit(1);
				pause();
			}
		}
		close(go[0]);
		close(go[1]);
		close(done[1]);
		for (int i = 0; i < NR; i++) {
			CHECK_EQ(read(done[0], &byte, 1), 1);
			nr_open += byte == 'o';
			nr_busy += byte == 'b';
		}
		for (int i = 0; i < NR; i++) {
			CHECK_EQ(kill(pids[i], SIGKILL), 0);
			CHECK_EQ(waitpid(pids[i], NULL, 0), pids[i]);
		}
		close(done[0]);
		CHECK_EQ(nr_open, 1);
		CHECK_EQ(nr_busy, NR - 1);
		prmem_close(must_open(path, .format = PRMEM_FORMAT_NEVER));
		CHECK_EQ(unlink(path), 0);
	}
	work_dir_remove();
}

UNIT_MAIN(CASE(a_second_process_is_refused_by_the_holders_pid), CASE(the_same_process_is_refused_too),
	  CASE(the_lock_dies_with_its_holder), CASE(a_stopped_holder_still_excludes),
	  CASE(a_child_goes_on_with_the_lock), CASE(readers_share_and_keep_writers_out),
	  CASE(another_name_of_the_file_is_the_same_pool), CASE(the_owner_record_excludes_where_flock_cannot),
	  CASE(a_clean_close_clears_the_record), CASE(an_odd_process_name_does_no_harm),
	  CASE(of_many_that_make_one_pool_one_has_it))
