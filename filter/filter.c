/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters: a classic program taken through the lowering into the core, and
 * run over batches of packet views.
 *
 * A filter is one word, the program that it runs, and that program's env is all else that
 * belongs to it.  So whoever has read the word has the whole of one filter, and another one
 * takes its place by an exchange of words: those who run it pay nothing for that.
 */
#include "filter/filter.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "cbpf/too_short.h"
#include "ebpf/err.h"
#include "ebpf/prog.h"
#include "ebpf/sized.h"
#include "filter/prog_packet.h"

struct sift_filter {
	_Atomic(struct ebpf_prog *) prog; /* first, see struct sift_filter_head */
};

/* What there is to a program; immutable but for the numbers drawn, which are atomic. */
struct judge {
	struct sift_packet_env env; /* first: the program's env */
	struct ebpf_prog *ebpf;
	struct ebpf_prog *too_short; /* its result is that of sift_filter_too_short(); or NULL */
	struct cbpf_prog *cbpf;
	bool is_pure;
};

#if defined(__GNUC__)
_Static_assert(offsetof(struct sift_filter, prog) == offsetof(struct sift_filter_head, prog) &&
		       sizeof(_Atomic(struct ebpf_prog *)) == sizeof(struct ebpf_prog *) &&
		       offsetof(struct ebpf_prog, run) == 0 &&
		       sizeof(_Atomic(ebpf_run_fn)) == sizeof(ebpf_run_fn),
	       "as callers were compiled to find it");
#endif

static const struct judge *
judge_of(const struct ebpf_prog *prog)
{
	return prog->env;
}

/* Acquire: what the one who put it there has written of it is seen. */
static struct ebpf_prog *
program_of(const struct sift_filter *filter)
{
	return atomic_load_explicit(&filter->prog, memory_order_acquire);
}

/* Keep a copy of a checked program: checked again, by its own dialect. */
static int
copy_cbpf(const struct cbpf_prog *prog, struct cbpf_prog **out, struct ebpf_err *err)
{
	size_t n_insns;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n_insns);

	return cbpf_check(insns, n_insns, cbpf_prog_dialect(prog), out, err);
}

/*
 * Loads beyond this are the kernel's, of metadata and from the headers' beginnings;
 * with the kernel's dialect an index can reach them as well.
 */
#define FIRST_OF_KERNEL 0x80000000u

static bool
is_pure(const struct cbpf_prog *prog)
{
	size_t n_insns;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n_insns);

	for (size_t i = 0; i < n_insns; i++) {
		unsigned class = CBPF_CLASS(insns[i].code), mode = insns[i].code & 0xe0;

		if (class != CBPF_LD && class != CBPF_LDX)
			continue;
		if (mode == CBPF_IND && cbpf_prog_dialect(prog) != CBPF_DIALECT_PCAP)
			return false;
		if ((mode == CBPF_ABS || mode == CBPF_IND || mode == CBPF_MSH) &&
		    insns[i].k >= FIRST_OF_KERNEL)
			return false;
	}
	return true;
}

static bool
draws_numbers(const struct cbpf_prog *prog)
{
	size_t n_insns;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n_insns);

	for (size_t i = 0; i < n_insns; i++) {
		unsigned class = CBPF_CLASS(insns[i].code), mode = insns[i].code & 0xe0;

		if (class == CBPF_LD && mode == CBPF_ABS &&
		    insns[i].k == (uint32_t)CBPF_AD_OFF + CBPF_AD_RANDOM)
			return true;
	}
	return false;
}

/* The extended program: every instruction that our engines know may be used. */
static int
make_ebpf(struct judge *judge, const struct sift_filter_opts *known, bool tells_too_short,
	  struct ebpf_prog **out, struct ebpf_err *err)
{
	struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.cpu = CBPF_CPU_V4,
		.layout = sift_packet_layout(),
		.level = known->level,
	};
	struct cbpf_lowered lowered = { NULL, 0, NULL };
	int rc = tells_too_short
			 ? cbpf_lower_too_short(judge->cbpf, &opts, &lowered, err)
			 : cbpf_lower(judge->cbpf, CBPF_TARGET_PACKET, &opts, &lowered, err);

	if (rc < 0)
		return rc;
	rc = ebpf_prog_load_trusted_by(sift_prog_type_packet(), lowered.insns, lowered.n_insns,
				       &judge->env, known->policy, out, err);
	cbpf_lowered_free(&lowered);
	return rc;
}

static void
judge_free(struct judge *judge)
{
	if (judge == NULL)
		return;
	ebpf_prog_put(judge->too_short);
	ebpf_prog_put(judge->ebpf);
	cbpf_prog_free(judge->cbpf);
	free(judge);
}

static int
judge_fill(struct judge *judge, const struct cbpf_prog *prog, const struct sift_filter_opts *known,
	   struct ebpf_err *err)
{
	int rc = copy_cbpf(prog, &judge->cbpf, err);

	if (rc < 0)
		return rc;
	judge->env.random_seed = known->random_seed;
	atomic_init(&judge->env.draws, 0);
	judge->is_pure = is_pure(judge->cbpf);
	if ((rc = make_ebpf(judge, known, false, &judge->ebpf, err)) < 0)
		return rc;
	if (known->flags & SIFT_FILTER_COUNTED &&
	    (rc = ebpf_prog_count(judge->ebpf, 1, err)) < 0)
		return rc;
	/* which numbers were drawn a second program would not know */
	if (!(known->flags & SIFT_FILTER_TELLS_TOO_SHORT) || draws_numbers(judge->cbpf))
		return 0;
	return make_ebpf(judge, known, true, &judge->too_short, err);
}

int
sift_filter_new(const struct cbpf_prog *prog, const struct sift_filter_opts *opts,
		struct sift_filter **out, struct ebpf_err *err)
{
	struct sift_filter_opts known = { .size = sizeof(known) };
	struct sift_filter *f;
	struct judge *judge;
	int rc;

	if (opts != NULL &&
	    (rc = ebpf_sized_take("filter options", &known, sizeof(known), opts,
				  EBPF_SIZED_LEAST(struct sift_filter_opts, random_seed), err)) < 0)
		return rc;
	if (known.flags & ~(SIFT_FILTER_TELLS_TOO_SHORT | SIFT_FILTER_COUNTED))
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", known.flags);
	f = calloc(1, sizeof(*f));
	judge = calloc(1, sizeof(*judge));
	if (f == NULL || judge == NULL)
		rc = ebpf_err_set(err, -ENOMEM, "out of memory");
	else
		rc = judge_fill(judge, prog, &known, err);
	if (rc < 0) {
		judge_free(judge);
		free(f);
		return rc;
	}
	atomic_init(&f->prog, judge->ebpf);
	*out = f;
	return 0;
}

void
sift_filter_free(struct sift_filter *filter)
{
	if (filter == NULL)
		return;
	judge_free(program_of(filter)->env);
	free(filter);
}

void
sift_filter_replace(struct sift_filter *filter, struct sift_filter *with)
{
	struct ebpf_prog *before = atomic_exchange_explicit(&filter->prog, program_of(with),
							    memory_order_acq_rel);

	atomic_store_explicit(&with->prog, before, memory_order_release);
}

uint32_t
sift_filter_match(const struct sift_filter *filter, const struct sift_view *view)
{
	/* no functions that are static: to clang this one is inline, too */
	const struct ebpf_prog *prog = atomic_load_explicit(&filter->prog, memory_order_acquire);

	return (uint32_t)atomic_load_explicit(&prog->run, memory_order_relaxed)(
		prog, (uintptr_t)view, 0);
}

void
sift_filter_batch(const struct sift_filter *filter, const struct sift_view *views, size_t n,
		  uint32_t *verdicts)
{
	ebpf_prog_run_many(program_of(filter), views, sizeof(*views), n, verdicts);
}

/* The program that tells is run for those alone that may be so. */
static bool
is_too_short(const struct judge *judge, const struct sift_view *view)
{
	return view->caplen < view->wirelen &&
	       ebpf_prog_run(judge->too_short, (uintptr_t)view, 0) != 0;
}

int
sift_filter_too_short(const struct sift_filter *filter, const struct sift_view *view)
{
	const struct judge *judge = judge_of(program_of(filter));

	return judge->too_short != NULL && is_too_short(judge, view);
}

size_t
sift_judge_too_short(const struct ebpf_prog *prog, const struct sift_view *views,
		     const uint32_t *verdicts, size_t n)
{
	const struct judge *judge = judge_of(prog);
	size_t n_too_short = 0;

	if (judge->too_short == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		n_too_short += verdicts[i] == 0 && is_too_short(judge, &views[i]);
	return n_too_short;
}

const struct cbpf_prog *
sift_filter_cbpf(const struct sift_filter *filter)
{
	return judge_of(program_of(filter))->cbpf;
}

const struct ebpf_prog *
sift_filter_ebpf(const struct sift_filter *filter)
{
	return program_of(filter);
}

bool
sift_judge_is_pure(const struct ebpf_prog *prog)
{
	return judge_of(prog)->is_pure;
}
