/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/minimise.h"

#include <stdlib.h>
#include <string.h>

struct search {
	struct cbpf_insn *insns, *tried;
	size_t n_insns;
	diff_shows_fn *shows;
	void *arg;
};

/* Where an instruction is once n of them, from first on, are gone. */
static uint32_t
moved(uint32_t pc, size_t first, size_t n)
{
	if (pc <= first)
		return pc;
	return pc < first + n ? (uint32_t)first : pc - (uint32_t)n;
}

static void
leave_out(const struct search *s, size_t first, size_t n)
{
	struct cbpf_insn *out = s->tried;

	for (uint32_t pc = 0; pc < s->n_insns; pc++) {
		struct cbpf_insn insn = s->insns[pc];
		uint32_t next = moved(pc, first, n) + 1;

		if (pc >= first && pc < first + n)
			continue;
		if (insn.code == (CBPF_JMP | CBPF_JA)) {
			insn.k = moved(pc + 1 + insn.k, first, n) - next;
		} else if (CBPF_CLASS(insn.code) == CBPF_JMP) {
			insn.jt = (uint8_t)(moved(pc + 1 + insn.jt, first, n) - next);
			insn.jf = (uint8_t)(moved(pc + 1 + insn.jf, first, n) - next);
		}
		*out++ = insn;
	}
}

/* Pieces of a size, from the end: what is behind them moves less often. */
static bool
shorten(struct search *s, size_t size)
{
	bool progress = false;

	for (size_t end = s->n_insns; end > 0 && s->n_insns > size;) {
		size_t first = end > size ? end - size : 0, n = end - first;

		leave_out(s, first, n);
		if (s->shows(s->arg, s->tried, s->n_insns - n)) {
			s->n_insns -= n;
			memcpy(s->insns, s->tried, s->n_insns * sizeof(*s->insns));
			progress = true;
		}
		end = first;
	}
	return progress;
}

static bool
try_one(struct search *s, size_t pc, struct cbpf_insn insn)
{
	struct cbpf_insn old = s->insns[pc];

	if (memcmp(&old, &insn, sizeof(insn)) == 0)
		return false;
	s->insns[pc] = insn;
	if (s->shows(s->arg, s->insns, s->n_insns))
		return true;
	s->insns[pc] = old;
	return false;
}

/* Fields that need not be what they are become 0. */
static void
make_plain(struct search *s)
{
	for (size_t pc = 0; pc < s->n_insns; pc++) {
		struct cbpf_insn insn = s->insns[pc];

		insn.k = 0;
		try_one(s, pc, insn);
		insn = s->insns[pc];
		insn.jt = 0;
		try_one(s, pc, insn);
		insn = s->insns[pc];
		insn.jf = 0;
		try_one(s, pc, insn);
	}
}

size_t
diff_minimise(struct cbpf_insn *insns, size_t n_insns, diff_shows_fn *shows, void *arg)
{
	struct search s = { insns, calloc(n_insns, sizeof(*insns)), n_insns, shows, arg };
	bool progress = true;

	if (s.tried == NULL)
		return n_insns;
	while (progress) {
		progress = false;
		for (size_t size = s.n_insns / 2; size > 0; size /= 2)
			progress = shorten(&s, size) || progress;
	}
	make_plain(&s);
	/* what is plain may be left out now */
	while (shorten(&s, 1))
		;
	free(s.tried);
	return s.n_insns;
}
