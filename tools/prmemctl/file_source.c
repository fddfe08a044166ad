/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"
#include "tools/prmemctl/file_end.h"

static int
source_failed(struct file_end *end)
{
	return end_failed(end, "%.200s: cannot be read: %s", end->name, strerror(errno));
}

static int
source_shrank(struct file_end *end)
{
	return end_failed(end, "%.200s: became shorter while it was read", end->name);
}

int
source_open(struct file_end *end, const char *name)
{
	struct stat st;
	off_t size;

	*end = (struct file_end){.name = name};
	end->fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO) : open(name, O_RDONLY | O_CLOEXEC);
	if (end->fd < 0 || fstat(end->fd, &st) < 0)
		return source_failed(end);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return source_failed(end);
	}
	if (isatty(end->fd))
		return end_failed(end, "a disk does not come from a terminal; name a file, or use a pipe");
	end->is_file = S_ISREG(st.st_mode);
	end->is_stream = !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) || lseek(end->fd, 0, SEEK_CUR) != 0;
	if (end->is_stream)
		return 0;
	size = lseek(end->fd, 0, SEEK_END);
	if (size < 0)
		return source_failed(end);
	if (size == 0)
		return end_failed(end, "%.200s: is empty: nothing to import", name);
	end->size_bytes = (uint64_t)size;
	return 0;
}

/* As much as is asked for, unless the end comes first.  Return: the number of bytes, -1. */
static ssize_t
read_all(struct file_end *end, char *to, uint64_t len_bytes)
{
	uint64_t there = 0;

	while (there < len_bytes) {
		ssize_t n = -1;

		errno = EINTR;
		if (!interrupted)
			n = end->is_stream ? read(end->fd, to + there, len_bytes - there)
					   : pread(end->fd, to + there, len_bytes - there, (off_t)(end->pos + there));
		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n < 0)
			return source_failed(end);
		if (n == 0)
			break;
		there += (uint64_t)n;
	}
	return (ssize_t)there;
}

/* Move to the next data.  Return: how many bytes of it there are; 0 at the end; -1. */
static int64_t
next_data(struct file_end *end)
{
	off_t data, hole;

	if (end->pos >= end->size_bytes)
		return 0;
	if (!end->is_file)
		return (int64_t)(end->size_bytes - end->pos);
	data = lseek(end->fd, (off_t)end->pos, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		/* No data up to the end; which is where it was, or the rest is lost and no hole. */
		if (lseek(end->fd, 0, SEEK_END) < (off_t)end->size_bytes)
			return source_shrank(end);
		end->pos = end->size_bytes;
		return 0;
	}
	/* A file system without holes says so, or does not know the question. */
	if (data < 0)
		return errno == EINVAL ? (int64_t)(end->size_bytes - end->pos) : source_failed(end);
	hole = lseek(end->fd, data, SEEK_HOLE);
	if (hole < 0)
		return source_failed(end);
	end->pos = (uint64_t)data;
	if ((uint64_t)hole > end->size_bytes)
		hole = (off_t)end->size_bytes;
	return hole > data ? hole - data : 0;
}

int
source_data_bytes(struct file_end *end, uint64_t *ret_bytes)
{
	uint64_t nr_bytes = 0, pos = end->pos;
	int64_t len;

	if (end->is_stream || !end->is_file) {
		*ret_bytes = 0;
		return 0;
	}
	while ((len = next_data(end)) > 0) {
		nr_bytes += (uint64_t)len;
		end->pos += (uint64_t)len;
	}
	end->pos = pos;
	if (len < 0)
		return -1;
	*ret_bytes = nr_bytes;
	return 0;
}

static bool
is_zero(const char *buf, size_t len_bytes)
{
	return len_bytes > 0 && buf[0] == '\0' && memcmp(buf, buf + 1, len_bytes - 1) == 0;
}

int
source_read(struct file_end *end, void *buf, uint32_t buf_bytes, uint32_t *ret_len_bytes, uint64_t *ret_off)
{
	for (;;) {
		int64_t want = end->is_stream ? buf_bytes : next_data(end);
		ssize_t n;

		if (want < 0 || interrupted)
			return -1;
		n = want == 0 ? 0 : read_all(end, buf, want < buf_bytes ? (uint64_t)want : buf_bytes);
		if (n < 0)
			return -1;
		if (n == 0 && !end->is_stream && end->pos < end->size_bytes)
			return source_shrank(end);
		*ret_off = n == 0 && !end->is_stream ? end->size_bytes : end->pos;
		*ret_len_bytes = (uint32_t)n;
		end->pos += (uint64_t)n;
		if (n == 0)
			return 0;
		/* Zeroes of a device or a pipe need not travel. */
		if (!is_zero(buf, (size_t)n))
			return 1;
	}
}

void
source_close(struct file_end *end)
{
	if (end->fd >= 0)
		close(end->fd);
}
