/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding the server of a pool: which processes are looked at for it.  Nobody
 * is, where the pool is free or its server answers: a system has thousands.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "control/client.h"
#include "control/server.h"
#include "tests/unit/unit.h"

#define POOL_BYTES (UINT64_C(16) << 20)

static char dir[64], path[80];
static unsigned int nr_looked_at; /* processes */

/* By the linker's --wrap: the descriptors of a process are in /proc/PID/fdinfo. */
DIR *__real_opendir(const char *name);
DIR *__wrap_opendir(const char *name);

DIR *
__wrap_opendir(const char *name)
{
	if (strncmp(name, "/proc/", 6) == 0 && isdigit((unsigned char)name[6]))
		nr_looked_at++;
	return __real_opendir(name);
}

static struct prmem_pool *
open_pool(void)
{
	const struct prmem_open_args args = {.path = path, .pool_size_bytes = POOL_BYTES};
	struct prmem_pool *pool;

	CHECK_EQ(prmem_open(&args, sizeof args, &pool, NULL), 0);
	return pool;
}

static void
begin(void)
{
	snprintf(dir, sizeof dir, "/tmp/prmem-connect-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	CHECK_EQ(setenv("PRMEM_RUN_DIR", dir, 1), 0);
	snprintf(path, sizeof path, "%s/pool", dir);
	prmem_close(open_pool());
	nr_looked_at = 0;
}

static void
end(void)
{
	char cmd[96];

	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	CHECK_EQ(system(cmd), 0);
}

static int
try_to_connect(void)
{
	struct control_client *client;
	struct prmem_error err;
	int r = control_connect(path, NULL, &client, &err);

	if (r == 0)
		control_disconnect(client);
	return r;
}

/* Have a child hold the pool, until @ret_tell is closed.  Return: its PID. */
static pid_t
hold(bool serve, int *ret_tell)
{
	int to[2], from[2];
	pid_t pid;
	char byte;

	fflush(stdout);
	CHECK_EQ(pipe2(to, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct prmem_pool *pool = open_pool();
		struct control_server_args args = {.path = path, .pool = pool};
		struct control_server *server = NULL;

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlive the test */
		close(to[1]);
		if (serve)
			CHECK_EQ(control_server_start(&args, &server, NULL), 0);
		CHECK_EQ(write(from[1], "x", 1), 1);
		while (read(to[0], &byte, 1) > 0)
			;
		if (serve)
			control_server_stop(server);
		prmem_close(pool);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	CHECK_EQ(read(from[0], &byte, 1), 1);
	close(from[0]);
	*ret_tell = to[1];
	return pid;
}

static void
let_go(pid_t pid, int tell)
{
	int status;

	close(tell);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void
of_a_free_pool_no_process_is_looked_at(void)
{
	begin();
	CHECK_EQ(try_to_connect(), -ENOENT);
	CHECK_EQ(nr_looked_at, 0);
	end();
}

static void
where_the_server_answers_no_process_is_looked_at(void)
{
	int tell;
	pid_t pid;

	begin();
	pid = hold(true, &tell);
	CHECK_EQ(try_to_connect(), 0);
	CHECK_EQ(nr_looked_at, 0);
	let_go(pid, tell);
	end();
}

/* Only here: its user may have the server's socket elsewhere.  It took the lock itself, so it alone is looked at. */
static void
a_holder_without_a_socket_is_looked_at(void)
{
	int tell;
	pid_t pid;

	begin();
	pid = hold(false, &tell);
	CHECK_EQ(try_to_connect(), -ENOENT);
	CHECK_EQ(nr_looked_at, 1);
	let_go(pid, tell);
	end();
}

UNIT_MAIN(CASE(of_a_free_pool_no_process_is_looked_at), CASE(where_the_server_answers_no_process_is_looked_at),
	  CASE(a_holder_without_a_socket_is_looked_at))
