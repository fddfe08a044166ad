/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/place.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int
place_of(unsigned int number, uid_t uid, const char *uuid, struct sockaddr_un *ret_address)
{
	const char *chosen = getenv(PLACE_ENVIRONMENT);
	char dir[80];
	int n;

	memset(ret_address, 0, sizeof *ret_address);
	ret_address->sun_family = AF_UNIX;
	if (chosen != NULL && chosen[0] == '/') {
		/* Nowhere else then. */
		n = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s/%s.control", chosen, uuid);
		return number > 0 ? -ENOENT : n < (int)sizeof ret_address->sun_path ? 0 : -ENAMETOOLONG;
	}
	switch (number) {
	case 0:
		if (uid != 0)
			return -ENOENT;
		snprintf(dir, sizeof dir, "/run/prmem");
		break;
	case 1:
		if (uid == 0)
			return -ENOENT;
		/* What XDG_RUNTIME_DIR is: also for root who looks for another user's server. */
		snprintf(dir, sizeof dir, "/run/user/%u/prmem", (unsigned int)uid);
		break;
	default:
		snprintf(dir, sizeof dir, "/tmp/prmem-%u", (unsigned int)uid);
		break;
	}
	n = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s/%s.control", dir, uuid);
	return n < (int)sizeof ret_address->sun_path ? 0 : -ENAMETOOLONG;
}

int
place_make_dir(const struct sockaddr_un *address)
{
	char copy[sizeof address->sun_path];
	struct stat st;
	const char *dir;

	memcpy(copy, address->sun_path, sizeof copy);
	dir = dirname(copy);
	/* /run/prmem also has the sockets of the disks, which others may be allowed to use. */
	if (mkdir(dir, strcmp(dir, "/run/prmem") == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return -EPERM;
	return 0;
}
