/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/mutate.h"

#include "cbpf/insn.h"
#include "tests/diff/chunk.h"
#include "tests/support/suite.h"

#include <stdbool.h>

#define MAX_CHANGES 8

static bool
is_ahead(const struct cbpf_insn *insn, size_t pc, size_t n_insns)
{
	return insn->code != (CBPF_JMP | CBPF_JA) || insn->k < n_insns - pc - 1;
}

static bool
is_random(const struct cbpf_insn *insn)
{
	return (insn->code & 0xe7) == (CBPF_LD | CBPF_ABS) &&
	       insn->k == (uint32_t)CBPF_AD_OFF + CBPF_AD_RANDOM;
}

static bool
is_changeable(const struct cbpf_insn *insns, size_t n_insns)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (is_random(&insns[pc]) || !is_ahead(&insns[pc], pc, n_insns))
			return false;
	}
	return true;
}

static uint32_t
other_constant(uint32_t k, uint64_t *rng)
{
	static const uint32_t edges[] = {
		0,          1,          4,          31,         32,         0x7ffffffc,
		0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff, 0xffe00000, 0xfff00000,
		0xfff0000e, 0xffefffff, 0xffffefff, 0xfffff000, 0xfffff02c, 0xfffff03c,
	};

	switch (rng_below(rng, 5)) {
	case 0:
		return k ^ (uint32_t)1 << rng_below(rng, 32);
	case 1:
		return k + 1;
	case 2:
		return k - 1;
	case 3:
		return edges[rng_below(rng, N_ELEMS(edges))];
	default:
		return rng_below(rng, 80);
	}
}

static void
change_jump(struct cbpf_insn *insn, size_t room, uint64_t *rng)
{
	uint32_t most = room < 255 ? (uint32_t)room : 255;

	if (insn->code == (CBPF_JMP | CBPF_JA))
		insn->k = rng_below(rng, (uint32_t)room + 1);
	else if (rng_below(rng, 2) == 0)
		insn->jt = (uint8_t)rng_below(rng, most + 1);
	else
		insn->jf = (uint8_t)rng_below(rng, most + 1);
}

static void
change(struct cbpf_insn *insns, size_t n_insns, size_t pc, uint64_t *rng)
{
	struct cbpf_insn *insn = &insns[pc], other;

	switch (rng_below(rng, 5)) {
	case 0:
		insn->code = cbpf_ops[rng_below(rng, CBPF_N_OPS)].code;
		break;
	case 1:
		change_jump(insn, n_insns - pc - 1, rng);
		break;
	case 2:
		*insn = insns[rng_below(rng, (uint32_t)n_insns)];
		break;
	case 3:
		other = insns[pc > 0 ? pc - 1 : 0];
		insns[pc > 0 ? pc - 1 : 0] = *insn;
		*insn = other;
		break;
	default:
		insn->k = other_constant(insn->k, rng);
		break;
	}
}

/* Of what a change may have touched, and of all of it whether it is valid. */
static bool
is_fine(const struct cbpf_insn *insns, size_t n_insns, size_t pc, enum cbpf_dialect dialect)
{
	struct cbpf_prog *prog;

	for (size_t i = pc > 0 ? pc - 1 : 0; i <= pc; i++) {
		if (is_random(&insns[i]) || !is_ahead(&insns[i], i, n_insns))
			return false;
		/* the kernel's oracle has no room for what a chunk would put there */
		if (insns[i].code == (CBPF_RET | CBPF_A) && n_insns > CBPF_MAXINSNS - CHUNK_TAIL)
			return false;
	}
	if (cbpf_check(insns, n_insns, dialect, &prog, NULL) < 0)
		return false;
	cbpf_prog_free(prog);
	return true;
}

void
diff_mutate(struct cbpf_insn *insns, size_t n_insns, enum cbpf_dialect dialect, uint64_t *rng)
{
	if (!is_changeable(insns, n_insns))
		return;
	for (uint32_t n = 1 + rng_below(rng, MAX_CHANGES); n > 0; n--) {
		size_t pc = rng_below(rng, (uint32_t)n_insns), before = pc > 0 ? pc - 1 : 0;
		const struct cbpf_insn old[] = { insns[before], insns[pc] };

		change(insns, n_insns, pc, rng);
		if (!is_fine(insns, n_insns, pc, dialect)) {
			insns[before] = old[0];
			insns[pc] = old[1];
		}
	}
}
