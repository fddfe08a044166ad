/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/prmem-nbd/device.h"

/*
 * The kernel's nbd driver starts with 128 KiB a request.  A request costs a
 * round trip of two context switches whatever its length, so larger ones pay;
 * above 1 MiB nothing more is gained.
 */
#define REQUEST_MAX_KIB 1024

static int
parse_index(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	if (strncmp(name, "nbd", 3) != 0 || !isdigit((unsigned char)name[3]))
		return -EINVAL;
	n = strtol(name + 3, &end, 10);
	return *end || n > 1 << 20 ? -EINVAL : (int)n;
}

int
device_index(const char *name)
{
	int index = parse_index(name);
	char *real;

	if (index >= 0 || name[0] != '/')
		return index;
	real = realpath(name, NULL);
	if (real)
		index = parse_index(real);
	free(real);
	return index;
}

/* Read /sys/block/nbdN/@file without its newline. */
static int
read_attr(int index, const char *file, char *buf, size_t buf_bytes)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/nbd%d/%s", index, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, buf_bytes);
	close(fd);
	if (n < 0)
		return -EIO;
	if ((size_t)n >= buf_bytes)
		return -ERANGE;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

static void
write_attr(int index, const char *file, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/block/nbd%d/%s", index, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		say_note("/dev/nbd%d: %s stays as it is: %s", index, file, strerror(errno));
	close(fd);
}

bool
device_is_connected(int index)
{
	char buf[32];

	return read_attr(index, "pid", buf, sizeof(buf)) == 0;
}

int
device_identifier(int index, char *buf, size_t buf_bytes)
{
	return read_attr(index, "backend", buf, buf_bytes);
}

int
device_find(const char *identifier)
{
	struct dirent *entry;
	int found = -ENOENT;
	char buf[4352];
	DIR *dir = opendir("/sys/block");

	if (!dir)
		return -ENOENT;
	while (found < 0 && (entry = readdir(dir))) {
		int index = parse_index(entry->d_name);

		if (index >= 0 && device_is_connected(index) && device_identifier(index, buf, sizeof(buf)) == 0 &&
		    strcmp(buf, identifier) == 0)
			found = index;
	}
	closedir(dir);
	return found;
}

uint64_t
device_size(int index)
{
	char buf[32];

	if (read_attr(index, "size", buf, sizeof(buf)) < 0)
		return 0;
	return strtoull(buf, NULL, 10) * 512;
}

bool
device_is_idle(int index)
{
	char buf[64];
	unsigned long reads, writes;

	return read_attr(index, "inflight", buf, sizeof(buf)) == 0 && sscanf(buf, "%lu %lu", &reads, &writes) == 2 &&
	       reads == 0 && writes == 0;
}

bool
device_is_used(int index)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/nbd%d", index);
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		close(fd);
		return false;
	}
	return errno == EBUSY;
}

void
device_tune(int index)
{
	char buf[32], value[32];
	unsigned long limit = REQUEST_MAX_KIB;

	write_attr(index, "queue/scheduler", "none");
	if (read_attr(index, "queue/max_hw_sectors_kb", buf, sizeof(buf)) == 0 && strtoul(buf, NULL, 10) < limit)
		limit = strtoul(buf, NULL, 10);
	snprintf(value, sizeof(value), "%lu", limit);
	write_attr(index, "queue/max_sectors_kb", value);
}

/* The kernel says nothing when a device loses its connections: its links would stay. */
void
device_announce(int index)
{
	write_attr(index, "uevent", "change");
}

int
device_try(int index, uint64_t block_bytes, struct why *why)
{
	char path[32];
	void *buf;
	ssize_t n;
	int fd, r = 0;

	snprintf(path, sizeof(path), "/dev/nbd%d", index);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return why_set(why, -errno, "%s: attached, but cannot be opened: %s", path, strerror(errno));
	if (posix_memalign(&buf, 4096, block_bytes) != 0) {
		close(fd);
		return why_set(why, -ENOMEM, "out of memory");
	}
	n = pread(fd, buf, block_bytes, 0);
	if (n < 0)
		r = why_set(why, -errno, "%s: attached, but its first block cannot be read: %s", path, strerror(errno));
	else if ((uint64_t)n != block_bytes)
		r = why_set(why, -EIO, "%s: attached, but its first block cannot be read", path);
	free(buf);
	close(fd);
	return r;
}
