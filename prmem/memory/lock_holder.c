/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who holds a lock, as /proc tells it.  Only messages and the owner record
 * depend on it, never the exclusion by flock() itself.
 */
#include "prmem/memory/lock_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"

int
holder_start_time(pid_t pid, uint64_t *ret_start)
{
	char path[32], text[1024];
	CLEANUP_CLOSE int fd = -1;
	const char *after_name;
	unsigned long long start;
	long nr_threads;
	ssize_t n;
	char state;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof text - 1);
	if (n <= 0)
		return n < 0 && errno != ESRCH ? -errno : -ESRCH;
	text[n] = '\0';

	/* The name is in parentheses and may hold anything, even these. */
	after_name = strrchr(text, ')');
	if (after_name == NULL ||
	    sscanf(after_name + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
		   &state, &nr_threads, &start) != 3)
		return -EIO;
	/* A first thread that ended does not end the others. */
	if ((state == 'Z' || state == 'X') && nr_threads <= 1)
		return -ESRCH;
	*ret_start = start;
	return 0;
}

void
holder_name(pid_t pid, char *ret_name, size_t name_bytes)
{
	char path[32];
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	ret_name[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, ret_name, name_bytes - 1);
	ret_name[n > 0 ? n : 0] = '\0';
	for (char *p = ret_name; *p != '\0'; p++) {
		if (*p == '\n') {
			*p = '\0';
			break;
		}
		if (!isprint((unsigned char)*p))
			*p = '?';
	}
}

/*
 * Does a line of /proc/locks, or of a /proc/PID/fdinfo file, tell of a flock()
 * on this file?  "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"
 * Return: the PID in it, or 0.
 */
static pid_t
parse_lock(const char *line, const struct stat *st)
{
	const char *p = strstr(line, ": FLOCK ");
	unsigned int maj, min;
	unsigned long long ino;
	int pid;

	if (p == NULL || sscanf(p, ": FLOCK %*s %*s %d %x:%x:%llu", &pid, &maj, &min, &ino) != 4)
		return 0;
	if (maj != major(st->st_dev) || min != minor(st->st_dev) || ino != st->st_ino)
		return 0;
	return pid;
}

/* Return: the PID in the first line of a file that tells of the lock, or 0. */
static pid_t
find_lock_in(const char *path, const struct stat *st)
{
	FILE *f = fopen(path, "re");
	char line[512];
	pid_t pid = 0;

	if (f == NULL)
		return 0;
	while (pid == 0 && fgets(line, sizeof line, f) != NULL)
		pid = parse_lock(line, st);
	fclose(f);
	return pid;
}

/* Has a process a descriptor with the lock on it? */
static bool
process_has_lock(const char *pid, const struct stat *st)
{
	char dir_path[64], path[512];
	bool found = false;
	struct dirent *e;
	DIR *dir;

	snprintf(dir_path, sizeof dir_path, "/proc/%.20s/fdinfo", pid);
	dir = opendir(dir_path);
	if (dir == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir_path, e->d_name);
		found = isdigit((unsigned char)e->d_name[0]) && find_lock_in(path, st) != 0;
	}
	closedir(dir);
	return found;
}

/* Look at all processes: a child of the one that took the lock may have it. */
static pid_t
find_process_with_lock(const struct stat *st)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;
	pid_t pid = 0;

	if (proc == NULL)
		return 0;
	while (pid == 0 && (e = readdir(proc)) != NULL) {
		if (isdigit((unsigned char)e->d_name[0]) && process_has_lock(e->d_name, st))
			pid = atoi(e->d_name);
	}
	closedir(proc);
	return pid;
}

pid_t
holder_of_flock(int fd)
{
	char taker_text[16];
	struct stat st;
	uint64_t start;
	pid_t taker, pid;

	/* One file says whether there is such a lock at all, and which process took it. */
	if (fstat(fd, &st) < 0 || (taker = find_lock_in("/proc/locks", &st)) == 0)
		return 0;
	snprintf(taker_text, sizeof taker_text, "%d", (int)taker);
	if (process_has_lock(taker_text, &st))
		return taker;
	pid = find_process_with_lock(&st);
	if (pid != 0)
		return pid;
	/* Another user's descriptors cannot be seen, all locks can. */
	return taker > 0 && holder_start_time(taker, &start) == 0 ? taker : 0;
}
