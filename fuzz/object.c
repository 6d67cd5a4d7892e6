/* SPDX-License-Identifier: BSD-2-Clause */
/* Object files: what opens is loaded, and run with a limit. */
#include <bpfsift/ebpf.h>

#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = 1000 };
	struct ebpf_object *object;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint8_t mem[64] = { 0 };
	uint64_t r0;

	if (ebpf_object_open(data, size, &object, &err) < 0)
		return 0;
	if (ebpf_object_load(object, NULL, NULL, ebpf_prog_type_raw(), NULL, &prog, &err) == 0) {
		ebpf_prog_run_checked(prog, mem, sizeof(mem), &opts, &r0, &err);
		ebpf_prog_put(prog);
	}
	ebpf_object_close(object);
	return 0;
}
