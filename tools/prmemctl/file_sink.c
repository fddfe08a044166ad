/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/prmemctl/ctl.h"
#include "tools/prmemctl/file_end.h"

#define ZEROES_BYTES (256u << 10)

static int
sink_failed(struct file_end *end, const char *what)
{
	return end_failed(end, "%.200s: cannot be %s: %s", end->name, what, strerror(errno));
}

static void
look_at(struct file_end *end)
{
	int flags = fcntl(end->fd, F_GETFL);
	struct stat st;

	end->is_file = fstat(end->fd, &st) == 0 && S_ISREG(st.st_mode) && flags >= 0 && (flags & O_APPEND) == 0 &&
		       lseek(end->fd, 0, SEEK_CUR) == 0;
	/* What a device held before would show through the holes. */
	end->is_stream = !end->is_file;
}

/* A new file beside the one that it will replace. */
static int
open_temp(struct file_end *end, const struct stat *old)
{
	if (asprintf(&end->temp, "%s.prmem-%d", end->path, (int)getpid()) < 0) {
		end->temp = NULL;
		return sink_failed(end, "made");
	}
	end->fd = open(end->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, old != NULL ? 0600 : 0666);
	if (end->fd < 0) {
		free(end->temp);
		end->temp = NULL;
		return sink_failed(end, "made");
	}
	if (old != NULL && fchmod(end->fd, old->st_mode & 07777) < 0)
		return sink_failed(end, "made");
	return 0;
}

int
sink_open(struct file_end *end, const char *name)
{
	struct stat st = {0};
	int r = 0;

	*end = (struct file_end){.name = name, .fd = -1};
	if (strcmp(name, "-") == 0) {
		end->fd = dup(STDOUT_FILENO);
		if (end->fd < 0)
			return sink_failed(end, "written");
		if (isatty(end->fd))
			return end_failed(end, "a disk is not for a terminal; name a file, or use a pipe");
	} else if (stat(name, &st) < 0 && errno == ENOENT) {
		end->path = strdup(name);
		r = end->path == NULL ? sink_failed(end, "made") : open_temp(end, NULL);
	} else if (S_ISREG(st.st_mode)) {
		/* Through links, so that they stay. */
		end->path = realpath(name, NULL);
		r = end->path == NULL ? sink_failed(end, "found") : open_temp(end, &st);
	} else {
		end->fd = open(name, O_WRONLY | O_CLOEXEC);
		if (end->fd < 0)
			return sink_failed(end, "written");
	}
	if (r == 0)
		look_at(end);
	return r;
}

static int
write_all(struct file_end *end, const void *buf, uint64_t len_bytes, uint64_t off)
{
	const char *from = buf;

	while (len_bytes > 0) {
		ssize_t n = -1;

		/* A pipe that nobody reads would take the rest of it never. */
		errno = EINTR;
		if (!interrupted)
			n = end->is_stream ? write(end->fd, from, len_bytes)
					   : pwrite(end->fd, from, len_bytes, (off_t)off);
		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n <= 0)
			return sink_failed(end, "written");
		from += n;
		off += (uint64_t)n;
		len_bytes -= (uint64_t)n;
	}
	return 0;
}

static int
fill_to(struct file_end *end, uint64_t off)
{
	static const char zeroes[ZEROES_BYTES];

	while (end->pos < off) {
		uint64_t part = off - end->pos < ZEROES_BYTES ? off - end->pos : ZEROES_BYTES;

		if (interrupted || write_all(end, zeroes, part, end->pos) < 0)
			return -1;
		end->pos += part;
	}
	return 0;
}

int
sink_write(struct file_end *end, const void *buf, uint32_t len_bytes, uint64_t off)
{
	if (end->is_stream && (fill_to(end, off) < 0 || end->pos != off))
		return -1;
	if (write_all(end, buf, len_bytes, off) < 0)
		return -1;
	end->pos = off + len_bytes;
	return 0;
}

int
sink_finish(struct file_end *end, uint64_t size_bytes)
{
	if (end->is_stream && fill_to(end, size_bytes) < 0)
		return -1;
	if (end->is_file && ftruncate(end->fd, (off_t)size_bytes) < 0)
		return sink_failed(end, "given its length");
	/* A pipe cannot be synced. */
	if (fsync(end->fd) < 0 && errno != EINVAL && errno != EROFS)
		return sink_failed(end, "written");
	if (end->temp == NULL)
		return 0;
	if (rename(end->temp, end->path) < 0)
		return sink_failed(end, "renamed");
	free(end->temp);
	end->temp = NULL;
	return 0;
}

void
sink_close(struct file_end *end)
{
	if (end->fd >= 0)
		close(end->fd);
	if (end->temp != NULL)
		(void)unlink(end->temp);
	free(end->temp);
	free(end->path);
}
