/* SPDX-License-Identifier: BSD-2-Clause */
#include "cbpf/relay.h"

#include <errno.h>
#include <stdlib.h>

#include "ebpf/err.h"

void
relay_put_jump(struct relay *r, unsigned code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (r->out != NULL)
		r->out[r->n] = (struct cbpf_insn){ (uint16_t)code, jt, jf, k };
	r->n++;
}

void
relay_put(struct relay *r, unsigned code, uint32_t k)
{
	relay_put_jump(r, code, 0, 0, k);
}

static uint32_t
distance(const struct relay *r, size_t to)
{
	return (uint32_t)(r->start[to] - r->n - 1);
}

static void
jump_if(struct relay *r, const struct cbpf_insn *insn)
{
	size_t yes = r->pc + 1 + insn->jt, no = r->pc + 1 + insn->jf;

	if (!r->is_far[r->pc]) {
		relay_put_jump(r, insn->code, (uint8_t)distance(r, yes), (uint8_t)distance(r, no),
			       insn->k);
		return;
	}
	relay_put_jump(r, insn->code, 0, 1, insn->k);
	relay_put(r, CBPF_JMP | CBPF_JA, distance(r, yes));
	relay_put(r, CBPF_JMP | CBPF_JA, distance(r, no));
}

void
relay_put_same(struct relay *r)
{
	const struct cbpf_insn *insn = &r->insns[r->pc];

	if (CBPF_CLASS(insn->code) != CBPF_JMP)
		relay_put_jump(r, insn->code, insn->jt, insn->jf, insn->k);
	else if (insn->code == (CBPF_JMP | CBPF_JA))
		relay_put(r, insn->code, distance(r, r->pc + 1 + insn->k));
	else
		jump_if(r, insn);
}

void
relay_place(struct relay *r)
{
	for (r->pc = 0; r->pc < r->n_insns; r->pc++) {
		r->start[r->pc] = r->n;
		r->put(r);
	}
	r->start[r->n_insns] = r->n;
}

/* By distances that are no less than they will be. */
static void
find_far(struct relay *r)
{
	for (size_t pc = 0; pc < r->n_insns; pc++)
		r->is_far[pc] = true;
	relay_place(r);
	for (size_t pc = 0; pc < r->n_insns; pc++) {
		const struct cbpf_insn *insn = &r->insns[pc];
		uint8_t most = insn->jt > insn->jf ? insn->jt : insn->jf;

		if (CBPF_CLASS(insn->code) == CBPF_JMP && insn->code != (CBPF_JMP | CBPF_JA))
			r->is_far[pc] = r->start[pc + 1 + most] - r->start[pc] > UINT8_MAX;
	}
	r->n = 0;
}

int
relay_init(struct relay *r, struct ebpf_err *err)
{
	r->pc = r->n = 0;
	r->out = NULL;
	r->start = calloc(r->n_insns + 1, sizeof(*r->start));
	r->is_far = calloc(r->n_insns, sizeof(*r->is_far));
	if (r->start == NULL || r->is_far == NULL) {
		relay_destroy(r);
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	find_far(r);
	return 0;
}

void
relay_destroy(struct relay *r)
{
	free(r->start);
	free(r->is_far);
}
