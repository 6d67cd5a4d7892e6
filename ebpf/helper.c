/* SPDX-License-Identifier: BSD-2-Clause */
/* Helpers of the program type raw, numbered as in the kernel's uapi <linux/bpf.h>. */
#include "config.h"

#include "ebpf/helper.h"

#include <time.h>

static uint64_t
ktime_get_ns(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	struct timespec now = { 0 };

	(void)r1;
	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	(void)env;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const struct ebpf_prog_type *
ebpf_prog_type_raw(void)
{
	static const struct ebpf_helper helpers[] = {
		{ 5, "ktime_get_ns", ktime_get_ns },
	};
	static const struct ebpf_prog_type raw = {
		.name = "raw",
		.helpers = helpers,
		.n_helpers = sizeof(helpers) / sizeof(helpers[0]),
	};

	return &raw;
}

int32_t
ebpf_helper_index(const struct ebpf_prog_type *type, int32_t id)
{
	for (size_t i = 0; i < type->n_helpers; i++) {
		if (type->helpers[i].id == id)
			return (int32_t)i;
	}
	return -1;
}
