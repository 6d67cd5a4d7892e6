/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters: a classic program taken through the lowering into the core, and
 * run over batches of packet views.
 *
 * A filter is immutable but for the counter of its random numbers, which is
 * atomic, so that threads share it freely.
 */
#include "filter/filter.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "ebpf/prog.h"
#include "ebpf/sized.h"
#include "filter/prog_packet.h"

struct sift_filter {
	struct ebpf_prog *ebpf; /* first, see struct sift_filter_head */
	struct cbpf_prog *cbpf;
	struct sift_packet_env env;
	bool is_pure;
};

#if defined(__GNUC__)
_Static_assert(offsetof(struct sift_filter, ebpf) == offsetof(struct sift_filter_head, prog) &&
		       offsetof(struct ebpf_prog, run) == 0 &&
		       sizeof(_Atomic(ebpf_run_fn)) == sizeof(ebpf_run_fn),
	       "as callers were compiled to find it");
#endif

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

/* The extended program: every instruction that our engines know may be used. */
static int
make_ebpf(struct sift_filter *f, const struct sift_filter_opts *known, struct ebpf_err *err)
{
	struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.cpu = CBPF_CPU_V4,
		.layout = sift_packet_layout(),
		.level = known->level,
	};
	struct cbpf_lowered lowered = { NULL, 0, NULL };
	int rc = cbpf_lower(f->cbpf, CBPF_TARGET_PACKET, &opts, &lowered, err);

	if (rc < 0)
		return rc;
	rc = ebpf_prog_load_trusted_by(sift_prog_type_packet(), lowered.insns, lowered.n_insns,
				       &f->env, known->policy, &f->ebpf, err);
	cbpf_lowered_free(&lowered);
	return rc;
}

int
sift_filter_new(const struct cbpf_prog *prog, const struct sift_filter_opts *opts,
		struct sift_filter **out, struct ebpf_err *err)
{
	struct sift_filter_opts known = { .size = sizeof(known) };
	struct sift_filter *f;
	int rc;

	if (opts != NULL &&
	    (rc = ebpf_sized_take("filter options", &known, sizeof(known), opts,
				  EBPF_SIZED_LEAST(struct sift_filter_opts, random_seed), err)) < 0)
		return rc;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	f->env.random_seed = known.random_seed;
	atomic_init(&f->env.draws, 0);
	if ((rc = copy_cbpf(prog, &f->cbpf, err)) < 0 ||
	    (rc = make_ebpf(f, &known, err)) < 0) {
		sift_filter_free(f);
		return rc;
	}
	f->is_pure = is_pure(f->cbpf);
	*out = f;
	return 0;
}

void
sift_filter_free(struct sift_filter *filter)
{
	if (filter == NULL)
		return;
	ebpf_prog_put(filter->ebpf);
	cbpf_prog_free(filter->cbpf);
	free(filter);
}

uint32_t
sift_filter_match(const struct sift_filter *filter, const struct sift_view *view)
{
	const struct ebpf_prog *prog = filter->ebpf;

	/* not ebpf_prog_run(), which is static: to clang this function is inline, too */
	return (uint32_t)atomic_load_explicit(&prog->run, memory_order_relaxed)(
		prog, (uintptr_t)view, 0);
}

void
sift_filter_batch(const struct sift_filter *filter, const struct sift_view *views, size_t n,
		  uint32_t *verdicts)
{
	ebpf_prog_run_many(filter->ebpf, views, sizeof(*views), n, verdicts);
}

const struct cbpf_prog *
sift_filter_cbpf(const struct sift_filter *filter)
{
	return filter->cbpf;
}

const struct ebpf_prog *
sift_filter_ebpf(const struct sift_filter *filter)
{
	return filter->ebpf;
}

bool
sift_filter_is_pure(const struct sift_filter *filter)
{
	return filter->is_pure;
}
