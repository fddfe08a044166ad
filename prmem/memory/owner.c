/* SPDX-License-Identifier: BSD-3-Clause */
#include "prmem/memory/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/crc32c.h"
#include "prmem/format/owner_format.h"
#include "prmem/format/superblock_format.h"
#include "prmem/memory/backing.h"
#include "prmem/memory/error.h"
#include "prmem/memory/lock_holder.h"
#include "prmem/memory/uuid.h"

struct owner_lock {
	int fd;
	bool recorded; /* the owner record names this process, or its parent */
	uint8_t boot_id[16];
	uint64_t nonce;
};

#define OWNER_OFF ((uint64_t)SB_PFN_OWNER << PRMEM_PAGE_SHIFT)

/* Return: 0; without /proc -errno, and the owner record protects nothing. */
static int
read_boot_id(uint8_t ret_id[16])
{
	CLEANUP_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[UUID_TEXT_BYTES] = "";
	unsigned int nr_digits = 0;

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof text - 1) != (ssize_t)sizeof text - 1)
		return -EIO;
	for (const char *p = text; *p != '\0' && nr_digits < 32; p++) {
		int digit = *p >= '0' && *p <= '9' ? *p - '0' : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10 : -1;

		if (digit < 0)
			continue;
		ret_id[nr_digits / 2] = (uint8_t)(nr_digits % 2 == 0 ? digit << 4 : ret_id[nr_digits / 2] | digit);
		nr_digits++;
	}
	return nr_digits == 32 ? 0 : -EIO;
}

/* The owner record, by descriptor: there is no mapping yet.  Return: false if there is none. */
static bool
read_record(int fd, bool is_device, struct owner_media *ret_rec)
{
	if (!is_device) {
		if (pread(fd, ret_rec, sizeof *ret_rec, (off_t)OWNER_OFF) != (ssize_t)sizeof *ret_rec)
			return false;
	} else {
		uint64_t len_bytes = backing_device_align(fd);
		void *p = mmap(NULL, len_bytes, PROT_READ, MAP_SHARED, fd, 0);

		if (p == MAP_FAILED)
			return false;
		memcpy(ret_rec, (char *)p + OWNER_OFF, sizeof *ret_rec);
		munmap(p, len_bytes);
	}
	return le64_to_cpu(ret_rec->magic) == OWNER_MAGIC &&
	       le32_to_cpu(ret_rec->crc) == crc32c(0, ret_rec, offsetof(struct owner_media, crc));
}

/* Return: the PID of the living process that the record names, or 0. */
static pid_t
living_owner(int fd, bool is_device)
{
	struct owner_media rec;
	uint8_t boot_id[16];
	uint64_t start;
	pid_t pid;

	if (!read_record(fd, is_device, &rec) || read_boot_id(boot_id) < 0)
		return 0;
	if (memcmp(rec.boot_id, boot_id, sizeof boot_id) != 0 || le64_to_cpu(rec.pid) > INT32_MAX)
		return 0;
	pid = (pid_t)le64_to_cpu(rec.pid);
	if (pid == 0 || holder_start_time(pid, &start) < 0 || start != le64_to_cpu(rec.start_time))
		return 0;
	return pid;
}

static int
error_locked(int fd, bool is_device, const char *path, struct prmem_error *err)
{
	pid_t pid = living_owner(fd, is_device);
	char name[32];

	/* Readers leave no record, and a holder that is starting none yet. */
	if (pid == 0)
		pid = holder_of_flock(fd);
	if (pid == 0)
		return error_set(err, -EBUSY, "pool %.200s: in use by another process: stop it first", path);
	if (pid == getpid())
		return error_set(err, -EBUSY, "pool %.200s: in use: this process (%d) has it open already", path,
				 (int)pid);
	holder_name(pid, name, sizeof name);
	return error_set(err, -EBUSY, "pool %.200s: in use by process %d (%s): stop it first", path, (int)pid, name);
}

int
owner_lock_take(int fd, bool is_device, bool shared, const char *path, struct owner_lock **ret_lock,
		struct prmem_error *err)
{
	struct owner_lock *lock;
	char name[32];
	pid_t pid;

	if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
		int r = -errno;

		if (r == -EWOULDBLOCK)
			return error_locked(fd, is_device, path, err);
		return error_set(err, r, "pool %.200s: cannot be locked: %s", path, strerror(-r));
	}

	pid = living_owner(fd, is_device);
	if (pid != 0 && pid != getpid()) {
		holder_name(pid, name, sizeof name);
		return error_set(err, -EBUSY,
				 "pool %.200s: in use by process %d (%s), by another name of the same memory or by the "
				 "original that this is a copy of: stop it first",
				 path, (int)pid, name);
	}

	lock = calloc(1, sizeof *lock);
	if (lock == NULL)
		return error_set(err, -ENOMEM, "pool %.200s: out of memory", path);
	/* Without either of them the record names nobody; flock() protects all the same. */
	if (read_boot_id(lock->boot_id) < 0 || random_bytes(&lock->nonce, sizeof lock->nonce) < 0)
		memset(lock->boot_id, 0, sizeof lock->boot_id);
	lock->fd = fd;
	*ret_lock = lock;
	return 0;
}

void
owner_lock_release(struct owner_lock *lock)
{
	if (lock == NULL)
		return;
	close(lock->fd);
	free(lock);
}

int
owner_lock_fd(const struct owner_lock *lock)
{
	return lock->fd;
}

static void
write_record(struct owner_lock *lock, struct pm *pm, pid_t pid)
{
	struct owner_media rec = {.magic = cpu_to_le64(OWNER_MAGIC)};
	uint64_t start = 0;

	if (pid != 0 && holder_start_time(pid, &start) < 0)
		start = 0;
	memcpy(rec.boot_id, lock->boot_id, sizeof rec.boot_id);
	rec.pid = cpu_to_le64((uint64_t)pid);
	rec.start_time = cpu_to_le64(start);
	rec.nonce = cpu_to_le64(lock->nonce);
	rec.opened_s = cpu_to_le64((uint64_t)time(NULL));
	rec.crc = cpu_to_le32(crc32c(0, &rec, offsetof(struct owner_media, crc)));

	/* Durable before: nothing that it depends on.  A crash in it tears the record: it counts as none. */
	pm_copy(pm, (char *)pm->base + OWNER_OFF, &rec, sizeof rec, PM_SITE_OWNER_COPY);
	pm_fence(pm, PM_SITE_OWNER_FENCE);
}

void
owner_record_write(struct owner_lock *lock, struct pm *pm)
{
	write_record(lock, pm, getpid());
	lock->recorded = true;
}

void
owner_record_renew(struct owner_lock *lock, struct pm *pm)
{
	if (lock->recorded)
		write_record(lock, pm, getpid());
}

void
owner_record_clear(struct owner_lock *lock, struct pm *pm)
{
	if (lock->recorded)
		write_record(lock, pm, 0);
	lock->recorded = false;
}
