/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "fuzz/file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

const char *
fuzz_file(const uint8_t *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd >= 0)
		close(fd);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_MUST(fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t put = write(fd, data + done, size - done);

		FUZZ_MUST(put > 0);
		done += (size_t)put;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}
