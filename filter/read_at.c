/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/read_at.h"

#include <errno.h>
#include <unistd.h>

ssize_t
sift_read_at(int fd, uint8_t *to, size_t n, uint64_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, to + done, n - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}
