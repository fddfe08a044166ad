/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files in /run/prmem by which prmem-nbd's processes know of each other.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/unit.h"
#include "tools/prmem-nbd/state.h"

static char dir[64];

static void
make_dir(void)
{
	strcpy(dir, "/tmp/prmem-nbd-state.XXXXXX");
	CHECK(mkdtemp(dir));
	CHECK_EQ(setenv("PRMEM_NBD_RUNDIR", dir, 1), 0);
}

static void
remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	CHECK_EQ(system(command), 0);
}

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CHECK(f);
	fputs(text, f);
	fclose(f);
}

static void
what_is_written_is_read(void)
{
	struct state out = {
		.index = 3,
		.pid = 4711,
		.uri = (char *)"nbd+unix:///p?socket=/s",
		.export_name = (char *)"quote \" and \\",
		.identifier = (char *)"prmem:x/p",
		.size_bytes = UINT64_C(16) << 40,
		.block_bytes = 4096,
		.nr_connections = 4,
		.nr_live = 3,
		.timeout_s = 10,
		.reattach_timeout_s = 300,
		.nr_reattached = 12,
		.since_s = 1700000000,
		.read_only = true,
	};
	struct state in;
	int indices[8];

	make_dir();
	CHECK_EQ(state_list(indices, 8), 0);
	CHECK_EQ(state_read(3, &in, NULL), -ENOENT);
	CHECK_EQ(state_write(&out, NULL), 0);
	CHECK_EQ(state_read(3, &in, NULL), 0);
	CHECK_EQ(in.pid, out.pid);
	CHECK_STR(in.uri, out.uri);
	CHECK_STR(in.export_name, out.export_name);
	CHECK_STR(in.identifier, out.identifier);
	CHECK_EQ(in.size_bytes, out.size_bytes);
	CHECK_EQ(in.block_bytes, 4096);
	CHECK_EQ(in.nr_connections, 4);
	CHECK_EQ(in.nr_live, 3);
	CHECK_EQ(in.timeout_s, 10);
	CHECK_EQ(in.reattach_timeout_s, 300);
	CHECK_EQ(in.nr_reattached, 12);
	CHECK_EQ(in.since_s, 1700000000);
	CHECK(in.read_only);
	state_free(&in);

	out.index = 0;
	CHECK_EQ(state_write(&out, NULL), 0);
	CHECK_EQ(state_list(indices, 8), 2);
	CHECK_EQ(indices[0], 0);
	CHECK_EQ(indices[1], 3);
	CHECK_EQ(state_find_uri(out.uri), 0);
	CHECK_EQ(state_find_uri("nbd+unix:///q?socket=/s"), -ENOENT);
	state_remove(0);
	CHECK_EQ(state_list(indices, 8), 1);
	remove_dir();
}

static void
damaged_files_are_named(void)
{
	static const char *const bad[] = {"", "{", "[1, 2]", "7", "null", "\xff\xfe"};
	struct state s;
	struct why why;
	size_t i;

	make_dir();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file("nbd5.json", bad[i]);
		CHECK_EQ(state_read(5, &s, &why), -EINVAL);
		CHECK(strstr(why.text, "nbd5.json"));
	}
	/* what is missing or of another type reads as nothing */
	write_file("nbd5.json", "{\"uri\": null, \"size\": \"x\", \"pid\": {}}");
	CHECK_EQ(state_read(5, &s, &why), 0);
	CHECK_STR(s.uri, "");
	CHECK_EQ(s.size_bytes, 0);
	state_free(&s);
	remove_dir();
}

static void
other_files_are_not_listed(void)
{
	int indices[8];

	make_dir();
	write_file("nbd1.lock", "");
	write_file("nbd2.json.new", "");
	write_file("nbdx.json", "");
	write_file("pool.sock", "");
	CHECK_EQ(state_list(indices, 8), 0);
	remove_dir();
}

/* A monitor is alive as long as its lock is held, whatever its file says. */
static void
the_lock_tells_who_is_alive(void)
{
	int up[2], down[2], fd;
	pid_t pid, seen = 0;
	char byte = 'x';

	make_dir();
	CHECK_EQ(state_monitor(7), 0);
	CHECK_EQ(pipe(up), 0);
	CHECK_EQ(pipe(down), 0);
	pid = fork();
	if (pid == 0) {
		pid_t other;

		if (state_lock_device(7, &other, NULL) < 0)
			_exit(1);
		(void)!write(up[1], &byte, 1);
		(void)!read(down[0], &byte, 1);
		_exit(0);
	}
	CHECK_EQ(read(up[0], &byte, 1), 1);
	CHECK_EQ(state_monitor(7), pid);
	CHECK_EQ(state_lock_device(7, &seen, NULL), -EBUSY);
	CHECK_EQ(seen, pid);
	CHECK_EQ(write(down[1], &byte, 1), 1);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(state_monitor(7), 0);
	fd = state_lock_device(7, &seen, NULL);
	CHECK(fd >= 0);
	close(fd);
	remove_dir();
}

UNIT_MAIN(CASE(what_is_written_is_read), CASE(damaged_files_are_named), CASE(other_files_are_not_listed),
	  CASE(the_lock_tells_who_is_alive))
