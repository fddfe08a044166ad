/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever was acknowledged is there after SIGKILL, and each page and each
 * change is old or new (P1, P2, P4).
 *
 *	kill_test [-s seed]
 *
 * KILL_CYCLES (as many as that) and KILL_SECONDS (not longer than that) in the
 * environment tell how long; a seed repeats what is done, not when it happens.
 */
#include "tests/kill/kill.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define DEADLINE_S 120 /* for one cycle, on a machine that is busy */

uint64_t unit_seed;

static struct kill_test test;
static volatile pid_t running; /* the process that is to be killed */

static void
remove_files(void)
{
	DIR *dir = opendir(test.dir);
	struct dirent *e;
	char path[400];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", test.dir, e->d_name);
		if (e->d_name[0] != '.')
			unlink(path);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(test.dir);
}

void
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "kill %" PRIu64 ": ", test.nr_kills);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	if (running > 0)
		kill(running, SIGKILL);
	if (getenv("KILL_KEEP") == NULL)
		remove_files();
	_exit(1);
}

static void
on_alarm(int sig)
{
	static const char text[] = "no end in sight: something hangs\n";

	(void)sig;
	if (write(2, text, sizeof text - 1) < 0)
		_exit(2);
	if (running > 0)
		kill(running, SIGKILL);
	_exit(1);
}

int
kill_after(struct kill_test *t, pid_t pid, uint64_t us)
{
	struct timespec ts = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	int status;

	nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid: %s", strerror(errno));
	running = 0;
	t->nr_kills++;
	return status;
}

/* Listen first and hand the socket over: connections wait until it serves. */
pid_t
start_server(struct kill_test *t, char *const params[], char *ret_socket, size_t socket_bytes)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	static unsigned int nr;
	char *argv[16] = {(char *)(uintptr_t) "nbdkit", (char *)(uintptr_t) "-f", (char *)(uintptr_t)t->plugin};
	bool as_pmem = unit_random() % 2;
	char log[100], number[16];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	snprintf(ret_socket, socket_bytes, "%s/sock%u", t->dir, nr++ % 2);
	unlink(ret_socket);
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", ret_socket);
	if (fd < 0 || bind(fd, (void *)&addr, sizeof addr) < 0 || listen(fd, 32) < 0)
		fail("socket %s: %s", ret_socket, strerror(errno));
	for (int i = 0; params[i] != NULL; i++)
		argv[3 + i] = params[i];
	snprintf(log, sizeof log, "%s/log", t->dir);
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen(log, "w", stderr) == NULL)
			_exit(127);
		if (fd != 3 && (dup2(fd, 3) < 0 || close(fd) < 0))
			_exit(127);
		snprintf(number, sizeof number, "%d", getpid());
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_PID", number, 1);
		if (as_pmem)
			setenv("PMEM_IS_PMEM_FORCE", "1", 1);
		execvp("nbdkit", argv);
		_exit(127);
	}
	close(fd);
	running = pid;
	return pid;
}

static bool
have_nbdkit(void)
{
	return system("nbdkit --version >/dev/null 2>&1") == 0;
}

int
main(int argc, char **argv)
{
	const char *cycles = getenv("KILL_CYCLES"), *seconds = getenv("KILL_SECONDS"), *base = getenv("TMPDIR");
	uint64_t max_cycles = cycles != NULL ? strtoull(cycles, NULL, 0) : 1000;
	time_t max_s = seconds != NULL ? strtol(seconds, NULL, 0) : cycles != NULL ? 1L << 30 : 3;
	uint64_t nr[4] = {0};
	struct timespec from, now;
	struct stat st;
	int opt;

	unit_seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	while ((opt = getopt(argc, argv, "s:")) != -1) {
		if (opt != 's') {
			fprintf(stderr, "usage: %s [-s seed]\n", argv[0]);
			return 2;
		}
		unit_seed = strtoull(optarg, NULL, 0);
	}
	test.plugin = getenv("PRMEM_PLUGIN");
	if (test.plugin == NULL || !have_nbdkit()) {
		printf("no nbdkit (Debian package nbdkit), or not run by make check\n");
		return 77;
	}
	if (getenv("PRMEM_SANITIZERS") != NULL && strcmp(getenv("PRMEM_SANITIZERS"), "no") != 0) {
		printf("nbdkit cannot load a plugin with a sanitizer\n");
		return 77;
	}
	/* Memory, not a disk: what is tested is the death of the process. */
	if (stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) && access("/dev/shm", W_OK) == 0)
		base = "/dev/shm";
	if (base == NULL || strlen(base) > 40)
		base = "/tmp";
	printf("seed %" PRIu64 " (repeat with -s %" PRIu64 ")\n", unit_seed, unit_seed);
	fflush(stdout);
	snprintf(test.dir, sizeof test.dir, "%.40s/prmem-kill-XXXXXX", base);
	if (mkdtemp(test.dir) == NULL) {
		fprintf(stderr, "%s: %s\n", test.dir, strerror(errno));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, on_alarm);
	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		unsigned int dice = (unsigned int)(unit_random() % 8);
		unsigned int kind = dice < 4 ? 0 : dice - 3 > 3 ? 3 : dice - 3;

		alarm(DEADLINE_S);
		nr[kind]++;
		if (kind < 2)
			load_cycle(&test, kind == 1);
		else if (kind == 2)
			format_cycle(&test);
		else
			manage_cycle(&test);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (test.nr_kills < max_cycles && now.tv_sec - from.tv_sec < max_s);
	alarm(0);
	remove_files();
	printf("kill cycles: %" PRIu64 " (under load %" PRIu64 ", starting %" PRIu64 ", formatting %" PRIu64
	       ", managing %" PRIu64 "), writes acknowledged %" PRIu64 "\n",
	       test.nr_kills, nr[0], nr[1], nr[2], nr[3], load_nr_acked());
	return 0;
}
