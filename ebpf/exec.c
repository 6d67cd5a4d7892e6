/* SPDX-License-Identifier: BSD-2-Clause */
/* The public way to run a program that was verified: what a run is given is tested, no more. */
#include "config.h"

#include "ebpf/prog.h"

#include "ebpf/err.h"

#include <errno.h>
#include <inttypes.h>

/* Atomic instructions are proven aligned as far as the memory is; a context is a structure. */
enum { MEM_ALIGN = 8, CONTEXT_ALIGN = _Alignof(uint64_t) };

static int
check_run(const struct ebpf_prog *prog, uintptr_t mem, size_t len, struct ebpf_err *err)
{
	const struct ebpf_prog_aux *aux = prog->aux;
	bool is_context = aux->type->n_ctx_fields > 0;
	uint64_t least = is_context ? aux->type->ctx_size : prog->mem_size;
	unsigned align = aux->has_atomics ? MEM_ALIGN : is_context ? CONTEXT_ALIGN : 1;

	if (!aux->is_trusted)
		return ebpf_err_set(err, -EINVAL, "program was not verified when it was loaded");
	if (aux->extension.is_ext)
		return ebpf_err_set(err, -EINVAL, "program runs in the place of a function only");
	if (least != EBPF_ANY_SIZE && len < least)
		return ebpf_err_set(err, -EINVAL,
				    "memory of %zu bytes, but the program was verified for %" PRIu64, len,
				    least);
	if (mem % align != 0)
		return ebpf_err_set(err, -EINVAL,
				    "memory at an address that is not a multiple of %u", align);
	return 0;
}

int
ebpf_prog_exec(const struct ebpf_prog *prog, void *mem, size_t len, uint64_t *r0,
	       struct ebpf_err *err)
{
	/* No memory has an address too: the verifier takes R1 for one, which is never 0. */
	static _Alignas(MEM_ALIGN) const uint8_t nowhere[1];
	uintptr_t r1 = mem != NULL ? (uintptr_t)mem : (uintptr_t)nowhere;
	int rc = check_run(prog, r1, len, err);

	if (rc == 0)
		*r0 = ebpf_prog_run(prog, r1, ebpf_prog_r2(prog, len));
	return rc;
}
