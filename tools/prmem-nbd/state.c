/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/prmem-nbd/state.h"

#define PATH_BYTES 256

const char *
state_dir(void)
{
	const char *dir = getenv("PRMEM_NBD_RUNDIR");

	return dir && *dir && strlen(dir) < PATH_BYTES - 32 ? dir : "/run/prmem";
}

static void
device_path(char *path, int index, const char *suffix)
{
	snprintf(path, PATH_BYTES, "%s/nbd%d.%s", state_dir(), index, suffix);
}

static int
make_dir(struct why *why)
{
	if (mkdir(state_dir(), 0755) < 0 && errno != EEXIST)
		return why_set(why, -errno, "%s: cannot be made: %s", state_dir(), strerror(errno));
	return 0;
}

static int
open_lock(const char *path, struct why *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? why_set(why, -errno, "%s: %s", path, strerror(errno)) : fd;
}

int
state_lock_all(struct why *why)
{
	char path[PATH_BYTES];
	int fd, r = make_dir(why);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/attach.lock", state_dir());
	fd = open_lock(path, why);
	if (fd < 0)
		return fd;
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0) {
		r = why_set(why, -errno, "%s: cannot be locked: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	return fd;
}

static pid_t
read_pid(int fd)
{
	char buf[32] = "";
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	return n > 0 ? (pid_t)strtol(buf, NULL, 10) : 0;
}

int
state_lock_device(int index, pid_t *ret_pid, struct why *why)
{
	char path[PATH_BYTES], buf[32];
	int fd, r = make_dir(why);

	if (r < 0)
		return r;
	device_path(path, index, "lock");
	fd = open_lock(path, why);
	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		*ret_pid = read_pid(fd);
		why_set(why, r, "/dev/nbd%d: process %d looks after it already", index, (int)*ret_pid);
		close(fd);
		return r;
	}
	snprintf(buf, sizeof(buf), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, buf, strlen(buf), 0) < 0) {
		r = why_set(why, -errno, "%s: %s", path, strerror(errno));
		close(fd);
		return r;
	}
	return fd;
}

pid_t
state_monitor(int index)
{
	char path[PATH_BYTES];
	pid_t pid = 0;
	int fd;

	device_path(path, index, "lock");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* Shared, so that two that ask do not take each other for the monitor. */
	if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		pid = read_pid(fd);
	close(fd);
	return pid;
}

static void
add_u64(json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static void
add_text(json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

int
state_write(const struct state *s, struct why *why)
{
	char path[PATH_BYTES], temp[PATH_BYTES];
	json_object *o = json_object_new_object();
	int r = make_dir(why);

	if (!o)
		return why_set(why, -ENOMEM, "out of memory");
	add_u64(o, "pid", (uint64_t)s->pid);
	add_text(o, "uri", s->uri);
	add_text(o, "export", s->export_name);
	add_text(o, "identifier", s->identifier);
	add_u64(o, "size", s->size_bytes);
	add_u64(o, "block_size", s->block_bytes);
	add_u64(o, "connections", s->nr_connections);
	add_u64(o, "live_connections", s->nr_live);
	add_u64(o, "timeout", s->timeout_s);
	add_u64(o, "reattach_timeout", s->reattach_timeout_s);
	add_u64(o, "reattached", s->nr_reattached);
	json_object_object_add(o, "since", json_object_new_int64(s->since_s));
	json_object_object_add(o, "read_only", json_object_new_boolean(s->read_only));

	device_path(path, s->index, "json");
	device_path(temp, s->index, "json.new");
	if (r == 0 && json_object_to_file_ext(temp, o, JSON_C_TO_STRING_PRETTY) < 0)
		r = why_set(why, -EIO, "%s: cannot be written", temp);
	if (r == 0 && rename(temp, path) < 0)
		r = why_set(why, -errno, "%s: %s", path, strerror(errno));
	json_object_put(o);
	return r;
}

static uint64_t
take_u64(json_object *o, const char *key)
{
	json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

static char *
take_text(json_object *o, const char *key)
{
	const char *text = NULL;
	json_object *v;

	if (json_object_object_get_ex(o, key, &v))
		text = json_object_get_string(v);
	return strdup(text ? text : "");
}

int
state_read(int index, struct state *ret_state, struct why *why)
{
	struct state s = {.index = index};
	char path[PATH_BYTES];
	json_object *o, *v;

	device_path(path, index, "json");
	if (access(path, R_OK) < 0)
		return why_set(why, -errno, "/dev/nbd%d: prmem-nbd did not attach it", index);
	o = json_object_from_file(path);
	if (!o || !json_object_is_type(o, json_type_object)) {
		json_object_put(o);
		return why_set(why, -EINVAL, "%s: damaged: remove it", path);
	}
	s.pid = (pid_t)take_u64(o, "pid");
	s.uri = take_text(o, "uri");
	s.export_name = take_text(o, "export");
	s.identifier = take_text(o, "identifier");
	s.size_bytes = take_u64(o, "size");
	s.block_bytes = (uint32_t)take_u64(o, "block_size");
	s.nr_connections = (uint32_t)take_u64(o, "connections");
	s.nr_live = (uint32_t)take_u64(o, "live_connections");
	s.timeout_s = (uint32_t)take_u64(o, "timeout");
	s.reattach_timeout_s = (uint32_t)take_u64(o, "reattach_timeout");
	s.nr_reattached = take_u64(o, "reattached");
	s.since_s = (int64_t)take_u64(o, "since");
	s.read_only = json_object_object_get_ex(o, "read_only", &v) && json_object_get_boolean(v);
	json_object_put(o);
	if (!s.uri || !s.export_name || !s.identifier) {
		state_free(&s);
		return why_set(why, -ENOMEM, "out of memory");
	}
	*ret_state = s;
	return 0;
}

void
state_remove(int index)
{
	char path[PATH_BYTES];

	/* The lock's file stays: unlinking it would let two processes hold "the" lock. */
	device_path(path, index, "json");
	unlink(path);
}

void
state_free(struct state *state)
{
	free(state->uri);
	free(state->export_name);
	free(state->identifier);
	memset(state, 0, sizeof(*state));
}

static int
compare_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

int
state_list(int *indices, unsigned int nr_max)
{
	struct dirent *entry;
	unsigned int nr = 0;
	DIR *dir = opendir(state_dir());

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (nr < nr_max && (entry = readdir(dir))) {
		int index, end = 0;

		if (sscanf(entry->d_name, "nbd%d.json%n", &index, &end) == 1 && end > 0 && !entry->d_name[end])
			indices[nr++] = index;
	}
	closedir(dir);
	qsort(indices, nr, sizeof(*indices), compare_int);
	return (int)nr;
}

int
state_find_uri(const char *uri)
{
	int indices[STATES_MAX], nr = state_list(indices, STATES_MAX), i;

	for (i = 0; i < nr; i++) {
		struct state state;
		bool same;

		if (state_read(indices[i], &state, NULL) < 0)
			continue;
		same = strcmp(state.uri, uri) == 0;
		state_free(&state);
		if (same)
			return indices[i];
	}
	return -ENOENT;
}
