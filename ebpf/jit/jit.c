/* SPDX-License-Identifier: BSD-2-Clause */
/* From a program to machine code that runs: which back end, and what it needs at run time. */
#include "config.h"

#include "ebpf/jit/jit.h"

#include "ebpf/err.h"
#include "ebpf/jit/pass.h"
#include "ebpf/map.h"
#include "ebpf/random.h"

#include <errno.h>
#include <stdlib.h>

/* Code of a blinded program begins at an offset that nobody can tell. */
#define MAX_PAD 256

static size_t
pad_of(const struct ebpf_prog_aux *aux, size_t align)
{
	uint8_t pad = 0;

	if (aux->blinding_requested)
		ebpf_random(&pad, sizeof(pad));
	return pad % MAX_PAD / align * align;
}

int
ebpf_jit_compile(struct ebpf_prog *prog)
{
	const struct jit_target *target = EBPF_JIT_TARGET;
	struct ebpf_prog_aux *aux = prog->aux;
	struct ebpf_jit_text *text;
	struct ebpf_jit_entries entries;
	uint8_t *code = NULL;
	size_t n = 0;
	int rc = -ENOMEM;

	if (target == NULL)
		return -ENOTSUP;
	if ((text = calloc(1, sizeof(*text))) == NULL)
		return -ENOMEM;
	aux->jit = text;
	text->starts = calloc((size_t)prog->n_insns + 1, sizeof(*text->starts));
	if (text->starts != NULL)
		rc = ebpf_jit_translate(target, prog, &code, &n, &entries, text->starts);
	if (rc == 0)
		rc = ebpf_jit_text_new(text, code, n, pad_of(aux, target->align));
	free(code);
	if (rc < 0) {
		ebpf_jit_free(aux);
		return rc;
	}
	prog->engine = (ebpf_run_fn)(uintptr_t)(text->code + entries.run);
	prog->inner = text->code + entries.inner;
	if (entries.many < n)
		prog->many = (ebpf_many_fn)(uintptr_t)(text->code + entries.many);
	return 0;
}

void
ebpf_jit_free(struct ebpf_prog_aux *aux)
{
	if (aux->jit == NULL)
		return;
	ebpf_jit_text_free(aux->jit);
	free(aux->jit->starts);
	free(aux->jit);
	aux->jit = NULL;
}

int
ebpf_prog_native(const struct ebpf_prog *prog, struct ebpf_native *native, struct ebpf_err *err)
{
	const struct ebpf_jit_text *text = prog->aux->jit;
	struct ebpf_native known = { .size = native->size };

	if (native->size != sizeof(known))
		return ebpf_err_set(err, -EINVAL, "struct ebpf_native of %zu bytes, not %zu",
				    native->size, sizeof(known));
	if (text == NULL || prog->aux->runtime != EBPF_RUNTIME_JIT)
		return ebpf_err_set(err, -ENOENT, "the program is not machine code");
	known.code = text->code;
	known.n = text->n;
	known.insns = ebpf_prog_running(prog);
	known.n_insns = prog->n_insns;
	known.starts = text->starts;
	*native = known;
	return 0;
}

/* By the rules of the interpreter, see there. */
const void *
ebpf_jit_tail_callee(const struct ebpf_map *map, uint32_t index, struct ebpf_jit_run *run)
{
	const struct ebpf_prog *to;

	if (run->n_tail_calls == EBPF_MAX_TAIL_CALLS)
		return NULL;
	to = ebpf_prog_array_get(map, index);
	if (to == NULL || to->inner == NULL || run->depth + to->n_frames > EBPF_MAX_FRAMES ||
	    !ebpf_prog_fits(to, run->r2))
		return NULL;
	run->n_tail_calls++;
	run->next_r2 = ebpf_prog_r2(to, run->r2);
	return to->inner;
}
