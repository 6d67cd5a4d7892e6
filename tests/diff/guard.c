/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h" /* system extensions: MAP_ANONYMOUS */

#include "tests/diff/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int
diff_guard_open(struct diff_guard *guard)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *memory;

	guard->slot = (DIFF_MAX_FRAME + page - 1) / page * page + page;
	memory = mmap(NULL, DIFF_PACKETS * guard->slot, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	guard->memory = memory;
	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		if (mprotect(memory + (i + 1) * guard->slot - page, page, PROT_NONE) < 0) {
			diff_guard_close(guard);
			return -ENOMEM;
		}
	}
	return 0;
}

void
diff_guard_close(struct diff_guard *guard)
{
	munmap(guard->memory, DIFF_PACKETS * guard->slot);
}

void
diff_guard_take(const struct diff_guard *guard, struct diff_packet *packets, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < n; i++) {
		struct sift_view *v = &packets[i].view;
		uint8_t *end = guard->memory + (i + 1) * guard->slot - page;

		if (v->caplen > guard->slot - page)
			abort();
		memcpy(end - v->caplen, v->data, v->caplen);
		v->data = end - v->caplen;
	}
}
