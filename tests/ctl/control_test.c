/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket against clients that are broken, slow or hostile, while
 * a disk of the same pool is written to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "control/connection.h"
#include "control/server.h"
#include "tests/unit/unit.h"

#define DISK_BYTES (UINT64_C(4) << 20)
#define DEADLINE_MS 60000

static char dir[64];
static struct prmem_pool *pool;
static struct control_server *server;
static pthread_t writer;
static atomic_bool writer_stop;
static atomic_ullong nr_writes;

/* ---- a server, and work on the data path ---- */

static void *
write_on(void *opaque)
{
	struct prmem_disk *disk = opaque;
	char buf[8192];

	for (uint64_t i = 0; !atomic_load(&writer_stop); i++) {
		memset(buf, (int)(i % 251) + 1, sizeof buf);
		CHECK_EQ(prmem_disk_write(disk, buf, sizeof buf, i * sizeof buf % DISK_BYTES), 0);
		atomic_fetch_add(&nr_writes, 1);
	}
	prmem_disk_close(disk);
	return NULL;
}

static void
start(void)
{
	static char path[80]; /* the server keeps the pointer */
	struct prmem_open_args args = {.path = path, .pool_size_bytes = UINT64_C(32) << 20};
	struct prmem_disk_args disk_args = {.name = "busy", .size_bytes = DISK_BYTES};
	struct control_server_args server_args = {.path = path};
	struct prmem_error err = {0};
	struct prmem_disk *disk;

	snprintf(dir, sizeof dir, "/tmp/prmem-control-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	CHECK(setenv("PRMEM_RUN_DIR", dir, 1) == 0);
	snprintf(path, sizeof path, "%s/pool", dir);
	CHECK_EQ(prmem_open(&args, sizeof args, &pool, &err), 0);
	CHECK_EQ(prmem_disk_create(pool, &disk_args, sizeof disk_args, &err), 0);
	CHECK_EQ(prmem_disk_open(pool, "busy", &disk, &err), 0);
	server_args.pool = pool;
	CHECK_EQ(control_server_start(&server_args, &server, &err), 0);
	atomic_store(&writer_stop, false);
	CHECK_EQ(pthread_create(&writer, NULL, write_on, disk), 0);
}

static void
writes_go_on(void)
{
	unsigned long long before = atomic_load(&nr_writes);

	for (int i = 0; i < DEADLINE_MS && atomic_load(&nr_writes) < before + 50; i++)
		usleep(1000);
	CHECK(atomic_load(&nr_writes) >= before + 50);
}

static void
stop(void)
{
	char cmd[96];

	control_server_stop(server);
	atomic_store(&writer_stop, true);
	CHECK_EQ(pthread_join(writer, NULL), 0);
	prmem_close(pool);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	CHECK_EQ(system(cmd), 0);
}

/* ---- a client without manners ---- */

static int
dial(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", control_server_address(server));
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Return: the length of a line; -1 when the connection ended. */
static int
hear(int fd, char *line, size_t room)
{
	size_t len = 0;

	while (len + 1 < room) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		CHECK_EQ(poll(&p, 1, DEADLINE_MS), 1);
		n = recv(fd, line + len, 1, 0);
		if (n <= 0)
			return -1;
		if (line[len] == '\n') {
			line[len] = '\0';
			return (int)len;
		}
		len++;
	}
	return -1;
}

static void
say(int fd, const void *buf, size_t len)
{
	/* What does not arrive any more was refused before. */
	(void)!send(fd, buf, len, MSG_NOSIGNAL);
}

static int
greet(void)
{
	char line[512];
	int fd = dial();

	CHECK(hear(fd, line, sizeof line) > 0);
	CHECK(strstr(line, "\"prmem_control\":1") != NULL);
	return fd;
}

/* Ask, and compare a part of the answer. */
static void
ask_on(int fd, const char *request, const char *part)
{
	char line[65536];

	say(fd, request, strlen(request));
	say(fd, "\n", 1);
	do {
		CHECK(hear(fd, line, sizeof line) >= 0);
	} while (strncmp(line, "{\"progress\"", 11) == 0 || strncmp(line, "{\"begin\"", 8) == 0);
	if (strstr(line, part) == NULL) {
		fprintf(stderr, "asked: %.200s\nanswered: %.400s\nwithout: %s\n", request, line, part);
		abort();
	}
}

static void
ask(const char *request, const char *part)
{
	int fd = greet();

	ask_on(fd, request, part);
	close(fd);
}

/* ---- cases ---- */

static void
it_answers_and_is_private(void)
{
	struct stat st;
	int fd;

	start();
	CHECK_EQ(stat(control_server_address(server), &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	fd = greet();
	ask_on(fd, "{\"verb\":\"info\"}", "\"ok\":true");
	ask_on(fd, "{\"verb\":\"list\"}", "\"name\":\"busy\"");
	ask_on(fd, "  { \"verb\" : \"stat\" , \"disk\" : \"busy\" }  ", "\"ok\":true");
	close(fd);
	stop();
}

static void
what_it_does_not_know_is_refused(void)
{
	static const struct {
		const char *request, *part;
	} cases[] = {
		{"{}", "EOPNOTSUPP"},
		{"{\"verb\":null}", "EOPNOTSUPP"},
		{"{\"verb\":7}", "EOPNOTSUPP"},
		{"{\"verb\":\"destroy\"}", "EOPNOTSUPP"},
		{"{\"verb\":\"list\",\"pool\":\"x\"}", "no key"},
		{"{\"verb\":\"create\",\"disk\":\"a\"}", "needs the key"},
		{"{\"verb\":\"create\",\"disk\":\"a\",\"size\":\"1\"}", "whole number"},
		{"{\"verb\":\"create\",\"disk\":\"a\",\"size\":1.5}", "whole number"},
		{"{\"verb\":\"create\",\"disk\":\"a\",\"size\":-1}", "whole number"},
		{"{\"verb\":\"create\",\"disk\":\"a\",\"size\":99999999999999999999999}", "whole number"},
		{"{\"verb\":\"create\",\"disk\":7,\"size\":4096}", "one line of text"},
		{"{\"verb\":\"create\",\"disk\":\"a\\u0000b\",\"size\":4096}", "one line of text"},
		{"{\"verb\":\"create\",\"disk\":\"a\\nb\",\"size\":4096}", "one line of text"},
		{"{\"verb\":\"create\",\"disk\":\"a\",\"size\":4096,\"reserve\":\"yes\"}", "true or false"},
		{"{\"verb\":\"create\",\"disk\":\"a\",\"size\":4096,\"description\":{}}", "one line of text"},
		{"{\"verb\":\"set\",\"disk\":\"busy\"}", "nothing was said"},
		{"{\"verb\":\"remove\",\"disk\":\"busy\"}", "EBUSY"},
		{"{\"verb\":\"grow\"}", "EINVAL"},
		{"{\"verb\":\"grow\",\"add\":\"relative\"}", "absolute"},
		{"{\"verb\":\"map\",\"cells\":0}", "cells"},
		{"{\"verb\":\"map\",\"cells\":4000000000}", "cells"},
		{"{\"verb\":\"repair\"}", "EBUSY"},
	};
	int fd;

	start();
	/* On one connection: a refusal is an answer like any other. */
	fd = greet();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ask_on(fd, cases[i].request, cases[i].part);
	ask_on(fd, "{\"verb\":\"list\"}", "\"ok\":true");
	close(fd);
	writes_go_on();
	stop();
}

static void
what_is_no_request_ends_the_connection(void)
{
	static const char *const lines[] = {
		"",
		" ",
		"x",
		"[]",
		"7",
		"null",
		"\"verb\"",
		"{",
		"}",
		"{]",
		"{\"verb\"}",
		"{\"verb\":\"list\"} {}",
		"\xff\xfe",
		"{\"verb\":\"\xff\"}",
		"GET / HTTP/1.1\r",
		/* In brackets: one string of two parts. */
		("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
		 "\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}}}}}}"),
	};
	char line[1024];

	start();
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		int fd = greet();

		ask_on(fd, lines[i], "EBADMSG");
		CHECK_EQ(hear(fd, line, sizeof line), -1);
		close(fd);
	}
	/* A NUL in it. */
	{
		int fd = greet();

		say(fd, "{\"verb\"\0:\"list\"}\n", 18);
		CHECK(hear(fd, line, sizeof line) > 0);
		CHECK(strstr(line, "EBADMSG") != NULL);
		close(fd);
	}
	ask("{\"verb\":\"list\"}", "\"ok\":true");
	stop();
}

static void *
send_without_end(void *opaque)
{
	char buf[65536];
	int fd = *(int *)opaque;

	memset(buf, 'a', sizeof buf);
	while (send(fd, buf, sizeof buf, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

static void
an_endless_line_is_cut_off(void)
{
	pthread_t thread;
	char line[1024];
	int fd;

	start();
	fd = greet();
	CHECK_EQ(pthread_create(&thread, NULL, send_without_end, &fd), 0);
	writes_go_on();
	ask("{\"verb\":\"list\"}", "\"ok\":true");
	/* It learns why, perhaps, and it is over. */
	while (hear(fd, line, sizeof line) >= 0)
		CHECK(strstr(line, "EMSGSIZE") != NULL);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);

	/* The longest that may be is read as a whole. */
	fd = greet();
	{
		static char longest[CONTROL_LINE_MAX + 1];

		memset(longest, ' ', CONTROL_LINE_MAX);
		memcpy(longest, "{\"verb\":\"list\"}", 15);
		longest[CONTROL_LINE_MAX - 1] = '\0';
		ask_on(fd, longest, "\"ok\":true");
	}
	close(fd);
	stop();
}

static void *
ask_without_end(void *opaque)
{
	static const char request[] = "{\"verb\":\"list\"}\n{\"verb\":\"map\",\"cells\":65536}\n";
	int fd = *(int *)opaque;

	while (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0)
		;
	return NULL;
}

/* Who does not read its answers waits alone, and does not keep the server from its end. */
static void
a_client_that_does_not_read_harms_nobody(void)
{
	pthread_t thread;
	int fd, quiet;

	start();
	fd = greet();
	quiet = greet();
	say(quiet, "{\"verb\":\"export\",\"disk\":\"busy\"}\n", 33);
	CHECK_EQ(pthread_create(&thread, NULL, ask_without_end, &fd), 0);
	for (int i = 0; i < 20; i++) {
		ask("{\"verb\":\"stat\"}", "\"ok\":true");
		ask("{\"verb\":\"create\",\"disk\":\"n\",\"size\":4096}", "\"ok\":true");
		ask("{\"verb\":\"remove\",\"disk\":\"n\"}", "\"ok\":true");
	}
	ask("{\"verb\":\"scrub\"}", "\"clean\":true");
	writes_go_on();
	/* Here it ends while both are stuck. */
	stop();
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(fd);
	close(quiet);
}

static void
connections_are_few_and_come_back(void)
{
	int fds[40], nr_served = 0, nr_refused = 0;
	char line[512];

	start();
	for (int i = 0; i < 40; i++) {
		fds[i] = dial();
		CHECK(hear(fds[i], line, sizeof line) > 0);
		if (strstr(line, "prmem_control") != NULL)
			nr_served++;
		else if (strstr(line, "EAGAIN") != NULL)
			nr_refused++;
	}
	CHECK_EQ(nr_served, 16);
	CHECK_EQ(nr_refused, 24);
	writes_go_on();
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	/* As soon as their threads have seen it. */
	for (int i = 0; i < DEADLINE_MS; i++) {
		int fd = dial();
		bool served = hear(fd, line, sizeof line) > 0 && strstr(line, "prmem_control") != NULL;

		close(fd);
		if (served)
			break;
		CHECK(i + 1 < DEADLINE_MS);
		usleep(1000);
	}
	stop();
}

static void
imports_that_go_wrong_leave_nothing(void)
{
	static const char *const frames[] = {
		"{\"data\":{\"offset\":0,\"length\":1048577}}\n",
		"{\"data\":{\"offset\":0,\"length\":0}}\n",
		"{\"data\":{\"offset\":-1,\"length\":4}}\nabcd",
		"{\"data\":{\"offset\":8192,\"length\":4}}\nabcd",
		"{\"data\":{\"offset\":9223372036854775800,\"length\":4}}\nabcd",
		"{\"data\":{\"length\":4}}\nabcd",
		"{\"data\":7}\n",
		"{\"end\":{\"size\":1}}\n",
		"{\"end\":{}}\n",
		"{\"verb\":\"list\"}\n",
		"nonsense\n",
		"{\"data\":{\"offset\":0,\"length\":100}}\nabcd", /* and no more */
		"",
	};
	char line[65536];

	start();
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
		static const char request[] = "{\"verb\":\"import\",\"disk\":\"i\",\"size\":8192}\n";
		int fd = greet();

		say(fd, request, sizeof request - 1);
		say(fd, frames[i], strlen(frames[i]));
		shutdown(fd, SHUT_WR);
		CHECK(hear(fd, line, sizeof line) > 0);
		CHECK(strstr(line, "\"ok\":false") != NULL);
		close(fd);
		/* Gone before the answer. */
		ask("{\"verb\":\"list\"}", "\"ok\":true");
		{
			int look = greet();

			say(look, "{\"verb\":\"list\"}\n", 16);
			CHECK(hear(look, line, sizeof line) > 0);
			CHECK(strstr(line, "\"name\":\"i\"") == NULL);
			close(look);
		}
	}
	/* And one that goes well. */
	{
		static const char good[] = "{\"verb\":\"import\",\"disk\":\"i\",\"size\":8192}\n"
					   "{\"data\":{\"offset\":4096,\"length\":4}}\nabcd{\"end\":{\"size\":8192}}\n"
					   "{\"verb\":\"rename\",\"disk\":\"i\",\"to\":\"j\"}";
		int fd = greet();

		ask_on(fd, good, "\"name\":\"i\"");
		CHECK(hear(fd, line, sizeof line) > 0);
		CHECK(strstr(line, "\"name\":\"j\"") != NULL);
		close(fd);
	}
	stop();
}

/* Valid requests, with some bytes changed, cut, doubled: each is answered or ends the connection. */
static void
mutated_requests(void)
{
	static const char *const seeds[] = {
		"{\"verb\":\"create\",\"disk\":\"m\",\"size\":65536,\"reserve\":true,\"description\":\"d\"}",
		"{\"verb\":\"resize\",\"disk\":\"m\",\"size\":4096,\"force\":true}",
		"{\"verb\":\"rename\",\"disk\":\"m\",\"to\":\"n\"}",
		"{\"verb\":\"remove\",\"disk\":\"n\",\"wipe\":true,\"force\":false}",
		"{\"verb\":\"map\",\"disk\":\"busy\",\"cells\":64}",
		"{\"verb\":\"set\",\"disk\":\"m\",\"read_only\":true}",
		"{\"verb\":\"check\",\"disk\":\"busy\"}",
		"{\"verb\":\"set-pool\",\"label\":\"l\",\"low_space\":4096}",
	};
	static const char marks[] = "{}[]\",:\\0123456789e-+.tfn \t\xff\x01";
	int nr = getenv("PRMEM_QUICK") != NULL ? unit_rounds(200) : 1500, fd = -1;
	char line[65536];

	start();
	for (int i = 0; i < nr; i++) {
		const char *seed = seeds[unit_random() % (sizeof seeds / sizeof seeds[0])];
		char request[512];
		size_t len = strlen(seed);

		memcpy(request, seed, len);
		for (uint64_t n = unit_random() % 4; n > 0; n--) {
			size_t at = unit_random() % len;

			if (unit_random() % 4 == 0 && len < 400) {
				memmove(request + at + 1, request + at, len - at);
				len++;
			} else if (unit_random() % 4 == 0 && len > 1) {
				memmove(request + at, request + at + 1, len - at - 1);
				len--;
				continue;
			}
			request[at] = marks[unit_random() % (sizeof marks - 1)];
		}
		request[len++] = '\n';
		if (fd < 0)
			fd = greet();
		say(fd, request, len);
		do {
			if (hear(fd, line, sizeof line) >= 0) {
				CHECK(line[0] == '{');
				continue;
			}
			close(fd);
			fd = -1;
			break;
		} while (strncmp(line, "{\"progress\"", 11) == 0);
		if (fd >= 0 && strstr(line, "EBADMSG") != NULL) {
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	ask("{\"verb\":\"check\"}", "\"clean\":true");
	writes_go_on();
	stop();
}

static void
another_user_is_refused(void)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		printf("not root: no other user to be\n");
		return;
	}
	start();
	/* Were its mode wrong, and its directory's too. */
	CHECK_EQ(chmod(control_server_address(server), 0666), 0);
	CHECK_EQ(chmod(dir, 0755), 0);
	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		char line[512];
		int fd;

		if (setuid(65534) < 0)
			_exit(2);
		fd = dial();
		say(fd, "{\"verb\":\"list\"}\n", 16);
		_exit(hear(fd, line, sizeof line) > 0 && strstr(line, "EACCES") != NULL &&
				      hear(fd, line, sizeof line) < 0
			      ? 0
			      : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	stop();
}

/* Names of files may be anything, and JSON may not. */
static void
what_is_no_utf8_is_known(void)
{
	static const char *const good[] = {"",
					   "a\x7f",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xef\xbf\xbd",
					   "\xf0\x90\x80\x80",
					   "x\xf4\x8f\xbf\xbfx"};
	static const char *const bad[] = {"\x80",
					  "\xbf",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xc2",
					  "\xc2g",
					  "\xe0\x9f\xbf",
					  "\xe1\x80",
					  "\xed\xa0\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xff",
					  "fine\xfe"};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		CHECK(control_is_utf8(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(!control_is_utf8(bad[i]));
}

UNIT_MAIN(CASE(it_answers_and_is_private), CASE(what_it_does_not_know_is_refused),
	  CASE(what_is_no_request_ends_the_connection), CASE(an_endless_line_is_cut_off),
	  CASE(a_client_that_does_not_read_harms_nobody), CASE(connections_are_few_and_come_back),
	  CASE(imports_that_go_wrong_leave_nothing), CASE(mutated_requests), CASE(another_user_is_refused),
	  CASE(what_is_no_utf8_is_known))
